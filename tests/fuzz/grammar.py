"""SIP by its grammar (RFC 3261 §25.1), every rule now and then broken: what Hypothesis draws from.

Each strategy gives text. `mostly(good, bad)` keeps messages whole enough to get past the parser,
so that what lies behind it is tried as well.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.services.wire import DOMAIN, SERVER

Text = st.SearchStrategy[str]

TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=12)
NOISE = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=24)
ODD = st.sampled_from(
    ["", " ", ",", ";", "<", ">", '"', "\\", "=", "%", "%zz", "\x00", "\t", "é", "[", "]", "@", ":", "?", "&", "-1",
     "9" * 40, "<<>>", ";;", ",,", "*", "sip:", "<sip:", ";tag=", "\x7f", "ÿ"]
)  # fmt: skip


def mostly(good: Text, bad: Text = NOISE | ODD) -> Text:
    """`good` nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda n: bad if n == 0 else good)


def joined(parts: list[Text], separator: str = "") -> Text:
    return st.tuples(*parts).map(separator.join)


def maybe(text: Text) -> Text:
    return st.just("") | text


HOST = st.sampled_from(
    [DOMAIN, SERVER[0], "198.51.100.1", "198.51.100.2", "elsewhere.example", "[::1]", "[2001:db8::1]", "PBX.TEST",
     "a..b", "256.1.1.1", "[::", "x" * 80]
)  # fmt: skip
PORT = st.sampled_from(["", ":5060", ":5061", ":0", ":65535", ":65536", ":x", ":"])
USER = st.sampled_from(
    ["1001", "1002", "1003", "%31001", "1002;x=y", "a:b", "+4312345", "1%00", "%", "user name", "*43", "",
     "%C3%A4", "\u00c3\u00a4", "%0d%0aX:y", "%25%34%31", "1002%40pbx.test", "&=+$,;?/", "%u0031", "1" * 300]
) | TOKEN  # fmt: skip
PARAMETER = joined([st.just(";"), st.sampled_from(["lr", "transport", "maddr", "ttl", "user", "method", "f", "x"]),
                    maybe(joined([st.just("="), TOKEN | st.sampled_from(["tcp", "UDP", "TLS", "ws", "1", "U1!T2!3"])]))])  # fmt: skip
PARAMETERS = st.lists(PARAMETER, max_size=4).map("".join)
URI = mostly(
    joined(
        [st.sampled_from(["sip:", "sips:", "SIP:"]), maybe(joined([USER, st.just("@")])), HOST, PORT, PARAMETERS,
         maybe(joined([st.just("?"), TOKEN, st.just("="), TOKEN]))]
    ),
    st.sampled_from(["tel:+1", "http://x", "mailto:a@b", "*", "urn:service:sos", ""]) | NOISE,
)  # fmt: skip
DISPLAY = st.sampled_from(["", '"Alice" ', "Alice ", '"A\\"B" ', '"A, <B> " ', "Ä ", '"unclosed '])
NAME_ADDR = mostly(joined([DISPLAY, st.just("<"), URI, st.just(">")]) | URI)
VIA = mostly(
    joined(
        [st.sampled_from(["SIP/2.0/", "SIP / 2.0 / ", "sip/2.0/"]), st.sampled_from(["UDP", "TCP", "TLS", "WS", "X"]),
         st.just(" "), HOST, PORT,
         st.lists(joined([st.sampled_from([";branch=z9hG4bK", ";branch=", ";rport", ";received=", ";ttl=", ";x="]),
                          maybe(TOKEN)]), max_size=3).map("".join)]
    )
)  # fmt: skip


def listed(item: Text, most: int = 4) -> Text:
    return st.lists(item, min_size=1, max_size=most).map(", ".join)


ROUTE = listed(
    joined([st.just("<"), URI, st.just(">")])
    | st.sampled_from([f"<sip:{SERVER[0]};lr>", f"<sip:{SERVER[0]}:5060;lr;f=U1!T2!3>", f"<sip:{SERVER[0]}>"])
)  # fmt: skip
CONTACT = mostly(
    listed(
        joined(
            [NAME_ADDR, st.lists(joined([st.sampled_from([";q=", ";expires=", ";+sip.instance=", ";reg-id=", ";x="]),
                                         st.sampled_from(["0", "1", "0.5", "9", "3600", '"<urn:uuid:1>"', ""]) | TOKEN]),
                                 max_size=3).map("".join)]
        )
    ),
    st.just("*"),
)  # fmt: skip
DIGEST_FIELD = st.tuples(
    st.sampled_from(["username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc", "x"]),
    st.sampled_from(["1001", DOMAIN, f"sip:{DOMAIN}", "MD5", "SHA-256", "auth", "auth-int", "00000001", "0" * 32, ""]) | NOISE,
    st.booleans(),
).map(lambda field: f'{field[0]}="{field[1]}"' if field[2] else f"{field[0]}={field[1]}")  # fmt: skip
DIGEST = mostly(
    st.lists(DIGEST_FIELD, max_size=12).map(lambda fields: "Digest " + ", ".join(fields))
)
NUMBER = st.sampled_from(
    ["0", "1", "2", "70", "90", "255", "256", "3600", "2147483647", "2147483648", "4294967296"]
)
METHOD = st.sampled_from(
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE",
     "PRACK", "INFO", "PUBLISH", "FOO"]
)  # fmt: skip
TAG = maybe(joined([st.just(";tag="), st.sampled_from(["1", "2", "3"]) | TOKEN]))
SDP_LINE = mostly(
    st.sampled_from(
        ["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "c=IN IP6 ::1", "t=0 0", "a=sendrecv",
         "a=sendonly", "a=inactive", "a=rtpmap:0 PCMU/8000", "a=rtpmap:96 opus/48000/2", "a=fmtp:101 0-15", "a=ptime:20",
         "m=audio 40000 RTP/AVP 0 8 101", "m=audio 0 RTP/AVP 0", "m=video 4 RTP/AVP 96", "m=audio x RTP/AVP 0",
         "m=audio 40000 RTP/SAVP 0", "m=audio 99999 RTP/AVP 0", "m=audio 40000/2 RTP/AVP 0", "b=AS:64", "a=", "m="]
    )
)  # fmt: skip
SDP = st.lists(SDP_LINE, max_size=14).map(lambda lines: "".join(f"{line}\r\n" for line in lines))

HEX = st.text("0123456789abcdefABCDEF", min_size=31, max_size=33) | st.sampled_from(
    ["0" * 32, "a" * 32]
)
REPLACES = joined(
    [st.sampled_from(["one", "two", "a@b"]) | TOKEN,
     st.lists(joined([st.sampled_from([";to-tag=", ";from-tag=", ";early-only", ";x="]),
                      maybe(st.sampled_from(["1", "2", "0"]) | TOKEN)]), max_size=4).map("".join)]
)  # fmt: skip
REASON = joined(
    [st.sampled_from(["SIP", "Q.850", "X", ""]),
     st.lists(joined([st.sampled_from([";cause=", ";text=", ";location=", ";"]),
                      st.sampled_from(["16", "200", "999999", '"a;b,c"', '"open', "LN", ""])]), max_size=3).map("".join)]
)  # fmt: skip
EVENT = joined(
    [st.sampled_from(["dialog", "presence", "message-summary", "reg", "refer", "Dialog", "dialog.x", "ua-profile"]),
     st.lists(joined([st.sampled_from([";id=", ";sla", ";call-id=", ";from-tag=", ";to-tag=", ";ma", ";include-session-description"]),
                      maybe(TOKEN | st.sampled_from(['"x', '"a;b"', "%20"]))]), max_size=3).map("".join)]
)  # fmt: skip
REFER_TO = joined(
    [st.sampled_from(["<sip:1003@pbx.test?", "<sips:1003@pbx.test?", "<sip:*43@pbx.test?", "sip:1003@pbx.test?"]),
     st.lists(st.sampled_from(["Replaces=one%3Bto-tag%3D1%3Bfrom-tag%3D2", "Replaces=", "Route=%3Csip:x%3E", "%00=%0d%0a", "a",
                               "method=BYE", "%", "body=x"]), max_size=3).map("&".join),
     maybe(st.just(">"))]
)  # fmt: skip
LATER_HEADERS = st.one_of(
    st.tuples(st.just("Replaces"), mostly(REPLACES)),
    st.tuples(st.just("Reason"), mostly(listed(REASON))),
    st.tuples(
        st.just("Session-ID"), mostly(joined([HEX, maybe(joined([st.just(";remote="), HEX]))]))
    ),
    st.tuples(st.sampled_from(["Event", "o"]), mostly(EVENT)),
    st.tuples(st.sampled_from(["Refer-To", "r"]), mostly(REFER_TO)),
    st.tuples(st.sampled_from(["Service-Route", "Path", "Target-Dialog"]), ROUTE),
    st.tuples(
        st.just("Privacy"),
        st.lists(
            st.sampled_from(["id", "none", "header", "user", "critical", "history", ""])
        ).map(";".join),
    ),
    st.tuples(
        st.just("Accept"),
        mostly(
            listed(
                st.sampled_from(
                    ["application/pidf+xml", "application/dialog-info+xml", "*/*", "application/sdp;q=0",
                     "application/cpim-pidf+xml", "text/plain", "multipart/mixed;boundary=x", "message/sipfrag"]
                )
            )
        ),
    ),
    st.tuples(
        st.sampled_from(["SIP-If-Match", "SIP-ETag", "RAck", "Subscription-State", "Content-Disposition"]),
        TOKEN | st.sampled_from(["1 1 INVITE", "active;expires=1", "terminated;reason=x", "render"]),
    ),
)  # fmt: skip
HEADER = st.one_of(
    st.tuples(st.sampled_from(["Route", "Record-Route", "Path"]), ROUTE),
    st.tuples(st.sampled_from(["Contact", "m"]), CONTACT),
    st.tuples(st.sampled_from(["Proxy-Authorization", "Authorization"]), DIGEST),
    st.tuples(
        st.sampled_from(["Expires", "Max-Breadth", "Session-Expires", "x", "Min-SE", "RSeq"]),
        mostly(NUMBER),
    ),
    st.tuples(
        st.sampled_from(["Require", "Proxy-Require", "Supported", "k", "Event", "Accept"]),
        listed(TOKEN | st.sampled_from(["timer", "100rel", "path", "replaces"])),
    ),
    st.tuples(
        st.sampled_from(["P-Asserted-Identity", "P-Preferred-Identity", "Refer-To", "r", "Referred-By", "Diversion"]),
        NAME_ADDR,
    ),
    st.tuples(st.just("History-Info"), listed(joined([NAME_ADDR, st.just(";index="), mostly(NUMBER)]))),
    st.tuples(st.sampled_from(["Privacy", "Reason", "Replaces", "Session-ID", "User-Agent", "Subject", "X"]), NOISE | TOKEN),
    LATER_HEADERS,
)  # fmt: skip


# Made once: a strategy that is made anew for each message costs more than the message.
_RARELY = st.integers(0, 9)
_SIZE = st.integers(0, 30)
_VIAS = st.lists(VIA, max_size=2)
_HEADERS = st.lists(HEADER, max_size=6)
_BODY = maybe(SDP | NOISE)
_FROM = joined([NAME_ADDR, TAG])
_FROM_TAG = st.sampled_from(["1", "2", "a b", ""])
_CALL_ID = st.sampled_from(["one", "two"]) | TOKEN
_BRANCH = st.sampled_from(["z9hG4bK1", "z9hG4bK2", "z9hG4bK3", "old", ""])
_CSEQ = mostly(NUMBER)
_STATUS = st.sampled_from(
    [100, 180, 183, 200, 200, 202, 302, 401, 407, 422, 486, 503, 600, 699, 99, 700]
)
_TO_TAG = joined([st.just(f"<sip:1002@{DOMAIN}>"), TAG])
_WHICH = st.integers(0, 1000)


def _spoilt(draw: st.DrawFn, sound: str, other: Text) -> str:
    """`sound` nine times out of ten."""
    return draw(other) if draw(_RARELY) == 0 else sound


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    method = draw(METHOD)
    own = f"sip:{DOMAIN}" if method in ("REGISTER", "OPTIONS") else f"sip:1002@{DOMAIN}"
    uri = own if draw(_RARELY) > 3 else draw(URI)
    sender = f"<sip:1001@{DOMAIN}>;tag={draw(_FROM_TAG)}"
    body = draw(_BODY)
    lines = [
        ("Via", _spoilt(draw, f"SIP/2.0/UDP 198.51.100.1:5060;branch={draw(_BRANCH)}", VIA)),
        *(("Via", via) for via in draw(_VIAS)),
        ("Max-Forwards", _spoilt(draw, "70", NUMBER)),
        ("From", _spoilt(draw, sender, _FROM)),
        ("To", _spoilt(draw, f"<{own}>", _FROM)),
        ("Call-ID", draw(_CALL_ID)),
        ("CSeq", f"{draw(_CSEQ)} {_spoilt(draw, method, METHOD)}"),
        *draw(_HEADERS),
        ("Content-Length", _spoilt(draw, str(len(body)), NUMBER)),
    ]
    if draw(_RARELY) == 0:
        del lines[draw(_SIZE) % len(lines)]
    return _bytes(f"{method} {uri} SIP/2.0", lines, body)


@st.composite
def _responses(draw: st.DrawFn) -> tuple[int, bytes]:
    body = draw(maybe_sdp)
    lines = [
        ("Via", draw(VIA)),
        ("From", f"<sip:1001@{DOMAIN}>;tag=1"),
        ("To", draw(_TO_TAG)),
        ("Call-ID", draw(_CALL_ID)),
        ("CSeq", f"{draw(NUMBER)} {draw(METHOD)}"),
        *draw(_HEADERS),
        ("Content-Length", _spoilt(draw, str(len(body)), NUMBER)),
    ]
    return draw(_WHICH), _bytes(f"SIP/2.0 {draw(_STATUS)} {draw(NOISE)}", lines, body)


def _bytes(start: str, lines: list[tuple[str, str]], body: str) -> bytes:
    head = start + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    return (head + "\r\n" + body).encode("latin-1", "replace")


maybe_sdp = maybe(SDP)
REQUESTS = _requests()
"""Requests whose ground is sound, each part of it broken now and then."""

RESPONSES = _responses()
"""(a number, a response): `answering` lets it be for one of the requests that the server has sent."""


def answering(drawn: tuple[int, bytes], asked: list[tuple[str, str]]) -> bytes:
    """The response with the Vias and CSeq of one of `asked`; as it is without, or one time in eight."""
    which, data = drawn
    if not asked or which % 8 == 0:
        return data
    vias, cseq = asked[which % len(asked)]
    start, _, rest = data.partition(b"\r\n")
    lines = rest.split(b"\r\n")
    lines[0] = f"Via: {vias}".encode("latin-1", "replace")
    lines = [f"CSeq: {cseq}".encode() if line.startswith(b"CSeq:") else line for line in lines]
    return b"\r\n".join([start, *lines])
