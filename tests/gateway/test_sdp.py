"""Descriptions rewritten: what the other side gets, to the letter."""

from __future__ import annotations

import pytest

from sipengine.gateway.sdp.choosing import answered_formats, numbered, offered_formats, routes
from sipengine.gateway.sdp.description import BadSdp, parse
from sipengine.gateway.sdp.formats import Codec, Format, formats_of
from sipengine.gateway.sdp.sides import Crypto, Local, Remote, audio_index, read_crypto, read_remote
from sipengine.gateway.sdp.writing import describe

CHROMIUM = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 51472 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 192.0.2.7
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122260223 192.0.2.7 51472 typ host generation 0 network-id 1
a=candidate:2 1 udp 2122194687 4f1b6c4e-4d0a-4c49-9a1b-2f9d8ccf1f3e.local 51473 typ host
a=ice-ufrag:x+9q
a=ice-pwd:Zc1VdWlGtB4ZbQw1u5Jk2r4a
a=ice-options:trickle
a=fingerprint:sha-256 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3735928559 cname:abcdef
"""

PHONE = """v=0
o=root 1821 1821 IN IP4 10.0.0.5
s=call
c=IN IP4 10.0.0.5
t=0 0
m=audio 12346 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
m=video 0 RTP/AVP 96
"""


def test_rfc3264_6_a_browser_s_offer_as_a_phone_gets_it() -> None:
    description = parse(CHROMIUM)
    index = audio_index(description)
    remote = read_remote(description, description.media[index])
    assert remote.is_web
    formats = offered_formats(remote.formats, ["PCMU", "opus"])
    local = Local("RTP/AVP", "198.51.100.1", 20010, 20011, formats, remote.direction)
    assert describe(description, index, local, None).split("\r\n") == [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 198.51.100.1",
        "s=-",
        "t=0 0",
        "m=audio 20010 RTP/AVP 111 9 0 8 110 126 13",
        "c=IN IP4 198.51.100.1",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=rtpmap:13 CN/8000",
        "a=sendrecv",
        "",
    ]


def test_rfc8829_5_3_1_a_phone_s_answer_as_a_browser_gets_it() -> None:
    offered, answer = parse(CHROMIUM), parse(PHONE)
    theirs = read_remote(offered, offered.media[0])
    phone = read_remote(answer, answer.media[0])
    local = Local(
        protocol="UDP/TLS/RTP/SAVPF",
        host="198.51.100.1",
        port=20000,
        rtcp_port=0,
        formats=answered_formats(theirs.formats, phone.formats),
        direction=phone.direction,
        mux=True,
        mid=theirs.mid,
        packet_time=phone.packet_time,
        ssrc=7,
        cname="here",
        ufrag="abcd",
        password="secret",
        candidates=(("198.51.100.1", 20000), ("10.0.0.1", 20000)),
        fingerprint="sha-256 00:11",
        setup="passive",
    )
    assert describe(answer, 0, local, offered).split("\r\n") == [
        "v=0",
        "o=root 1821 1821 IN IP4 198.51.100.1",
        "s=call",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 20000 UDP/TLS/RTP/SAVPF 8 126",
        "c=IN IP4 198.51.100.1",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:126 telephone-event/8000",
        "a=ptime:20",
        "a=sendrecv",
        "a=mid:0",
        "a=rtcp-mux",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:secret",
        "a=fingerprint:sha-256 00:11",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 198.51.100.1 20000 typ host",
        "a=candidate:2 1 udp 2130706175 10.0.0.1 20000 typ host",
        "a=end-of-candidates",
        "a=ssrc:7 cname:here",
        "",
    ]


def test_rfc3264_6_media_that_are_not_carried_are_refused() -> None:
    offered = parse(
        CHROMIUM + "m=video 9 UDP/TLS/RTP/SAVPF 96 97\na=mid:1\na=rtpmap:96 VP8/90000\n"
    )
    answer = parse(PHONE)
    theirs = read_remote(offered, offered.media[0])
    local = Local(
        "UDP/TLS/RTP/SAVPF", "198.51.100.1", 20000, 0, theirs.formats, "sendrecv", mid="0"
    )
    lines = describe(answer, 0, local, offered).split("\r\n")
    assert lines[-3:] == ["m=video 0 UDP/TLS/RTP/SAVPF 96", "a=mid:1", ""]


def test_rfc8866_5_an_address_of_ipv6_is_named_so() -> None:
    description = parse(PHONE)
    remote = read_remote(description, description.media[0])
    local = Local("RTP/AVP", "2001:db8::1", 20010, 20011, remote.formats, "sendrecv")
    text = describe(description, 0, local, None)
    assert "o=root 1821 1821 IN IP6 2001:db8::1\r\n" in text
    assert "c=IN IP6 2001:db8::1\r\n" in text


def test_rfc8840_4_1_1_a_browser_without_candidates_yet_is_not_on_hold() -> None:
    early = parse(CHROMIUM.replace("c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0"))
    assert read_remote(early, early.media[0]).direction == "sendrecv"
    held = parse(PHONE.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0"))
    assert read_remote(held, held.media[0]).direction == "inactive"


def test_rfc3551_6_numbers_without_a_map_mean_their_codec() -> None:
    media = parse("v=0\no=- 1 1 IN IP4 1.2.3.4\nm=audio 9 RTP/AVP 0 8 9 18 77\n").media[0]
    assert [item.codec.name for item in formats_of(media)] == ["PCMU", "PCMA", "G722", "G729"]


OPUS, PCMU, PCMA, G722 = Codec("OPUS", 48000, 2), Codec("PCMU", 8000), Codec("PCMA", 8000), Codec("G722", 8000)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "wanted", "expected"),
    [
        ([(0, PCMU)], [(0, PCMU)], {0: (0, False)}),
        ([(111, OPUS)], [(96, OPUS)], {111: (96, False)}),
        ([(0, PCMU)], [(96, OPUS)], {0: (96, True)}),
        ([(0, PCMU), (9, G722)], [(9, G722), (8, PCMA)], {0: (9, True), 9: (9, False)}),
        ([(18, Codec("G729", 8000))], [(0, PCMU)], {}),
        ([(18, Codec("G729", 8000))], [(18, Codec("G729", 8000))], {18: (18, False)}),
    ],
)
def test_packets_are_decoded_only_where_no_codec_is_shared(
    told: list[tuple[int, Codec]],
    wanted: list[tuple[int, Codec]],
    expected: dict[int, tuple[int, bool]],
) -> None:
    table = routes(tuple(Format(*each) for each in told), tuple(Format(*each) for each in wanted))
    assert {
        number: (route.number, route.to is not None) for number, route in table.items()
    } == expected


def test_rfc3264_6_1_the_answerer_s_preference_is_kept() -> None:
    offered = (Format(0, PCMU), Format(8, PCMA), Format(9, G722))
    accepted = (Format(9, G722), Format(0, PCMU))
    assert [item.number for item in answered_formats(offered, accepted)] == [9, 0]


def test_nothing_in_common_that_can_be_turned_is_no_answer() -> None:
    assert answered_formats((Format(18, Codec("G729", 8000)),), (Format(0, PCMU),)) == ()


KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", True),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31", True),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|1:4", False),  # an MKI
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP", False),
        (f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", False),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:AAEC", False),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:=====", False),
        ("x AES_CM_128_HMAC_SHA1_80", False),
        ("", False),
    ],
)
def test_rfc4568_9_1_crypto_lines(line: str, taken: bool) -> None:
    found = read_crypto(line)
    assert (found is not None) == taken
    if found is not None:
        assert found == Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
        assert read_crypto(found.line()[len("a=crypto:") :]) == found
        assert KEY not in repr(found)


ORIGIN = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "v=0\n",
        "v=0\nm=audio 9 RTP/AVP 0\n",
        ORIGIN,
        ORIGIN + "m=audio\n",
        ORIGIN + "m=audio nine RTP/AVP 0\n",
        ORIGIN + "m=audio 99999 RTP/AVP 0\n",
        ORIGIN + "m=audio 9 RTP/AVP " + " ".join(["0"] * 65) + "\n",
        ORIGIN + "m=audio 9 RTP/AVP zero\n",
        ORIGIN + "m=audio 9 RTP/AVP 300\n",
        ORIGIN + "m=audio 9 RTP/AVP 0\na=rtpmap:0 PCMU/many\n",
        ORIGIN + "m=audio 9 RTP/AVP 0\na=rtpmap:x PCMU/8000\n",
        ORIGIN + "m=audio 9 RTP/AVP 0\nc=IN IP4 224.0.0.1\n",
        ORIGIN + "m=audio 9 RTP/AVP 0\nc=IN IP4 255.255.255.255\n",
        ORIGIN + "m=audio 9 RTP/SAVPF 0\na=fingerprint:sha-256 nothing\n",
        ORIGIN + "m=audio 9 RTP/AVP 0\n" * 17,
        ORIGIN + "m=audio 9 RTP/AVP 0\n" + "a=x\n" * 700,
        ORIGIN + "m=audio 9 RTP/AVP 0\na=" + "x" * 3000 + "\n",
        ORIGIN + "m=audio 9 RTP/AVP 0\n?\n",
        ORIGIN + "m=video 9 RTP/AVP 31\n",
    ],
)
def test_hostile_descriptions_are_refused_in_words(text: str) -> None:
    with pytest.raises(BadSdp, match=r"^\w.*\w$"):
        read_audio(text)


def read_audio(text: str) -> Remote:
    description = parse(text)
    return read_remote(description, description.media[audio_index(description)])


@pytest.mark.parametrize(
    ("host", "read"), [("0.0.0.0", ""), ("x.local", ""), ("192.0.2.9", "192.0.2.9")]
)
def test_addresses_that_are_no_addresses(host: str, read: str) -> None:
    description = parse(PHONE.replace("c=IN IP4 10.0.0.5", f"c=IN IP4 {host}"))
    assert read_remote(description, description.media[0]).host == read


def test_rfc3264_8_3_2_a_number_keeps_its_codec_while_the_session_lasts() -> None:
    known = {OPUS: 111, Codec("TELEPHONE-EVENT", 8000): 126}
    offered = (
        Format(0, PCMU),
        Format(126, Codec("TELEPHONE-EVENT", 48000)),
        Format(111, Codec("SPEEX", 16000)),
        Format(96, OPUS),
        Format(101, Codec("TELEPHONE-EVENT", 8000), "0-15"),
    )
    told = numbered(offered, known)
    assert [(item.codec.name, item.codec.clock, item.number) for item in told] == [
        ("PCMU", 8000, 0),
        ("TELEPHONE-EVENT", 48000, 127),
        ("SPEEX", 16000, 125),
        ("OPUS", 48000, 111),
        ("TELEPHONE-EVENT", 8000, 126),
    ]
    assert told[4].parameters == "0-15"
    again = numbered(offered, known)
    assert again == told
    twice = (Format(111, OPUS, "stereo=1"), Format(96, OPUS))
    assert [item.number for item in numbered(twice, {OPUS: 111})] == [111, 96]
