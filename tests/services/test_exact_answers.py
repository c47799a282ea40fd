"""The exact answer to each breach, for every method in which it can occur (RFC 3261 §8.2, §16.3, §21.4).

One table for each answer: who is asked (the server itself, a user whom it serves, the echo test that
it answers itself), by what method, with what wrong, and the header that the answer must have.
"""

from __future__ import annotations

from itertools import count

import pytest

from tests.services.events.watcher import watching
from tests.services.user_agents import Phone, password_of
from tests.services.wire import DOMAIN
from tests.support.wire import Message, digest

SERVER = f"sip:{DOMAIN}"
USER, SELF, ECHO, NOBODY = (f"sip:{number}@{DOMAIN}" for number in ("1002", "1001", "*43", "7777"))
METHODS = (
    "INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "INFO", "REFER",
    "UPDATE", "PRACK", "BYE", "FROBNICATE",
)  # fmt: skip
IN_DIALOGS = ("BYE", "PRACK", "UPDATE", "INFO", "NOTIFY")
FORWARDED = tuple(m for m in METHODS if m not in ("SUBSCRIBE", "PUBLISH", "REGISTER"))
TEXT, LOCKED = "Content-Type: text/plain\n", "Content-Type: application/pkcs7-mime\n"
PACKED = "Content-Encoding: gzip\n"
SDP, PIDF = "Content-Type: application/sdp\n", "Content-Type: application/pidf+xml\n"
DIALOG, PRESENCE = "Event: dialog\n", "Event: presence\n"

_serial = count(1)


def ask(
    phone: Phone, method: str, uri: str, extra: str = "", body: str = "", *, to: str = "",
    hops: str = "70",
) -> Message | None:  # fmt: skip
    """The final answer to a request, with credentials if they are asked for; None for silence."""
    serial = next(_serial)
    authorization = ""
    for cseq in (1, 2):
        phone.inbox.clear()
        phone.send(
            f"{method} {uri} SIP/2.0\nVia: {phone.via(f'z9hG4bKe{serial}-{cseq}')}\n"
            f"Max-Forwards: {hops}\nFrom: <{phone.aor}>;tag=e{serial}\nTo: {to or f'<{uri}>'}\n"
            f"Call-ID: exact-{serial}\nCSeq: {cseq} {method}\nContact: {phone.contact}\n"
            f"{extra}{authorization}Content-Length: {len(body)}\n\n{body}"
        )
        phone.wire.beat()
        answers = [message for message in phone.inbox if message.status >= 200]
        assert len(answers) <= 1, answers
        if not answers:
            return None
        (answer,) = answers
        challenge = answer["WWW-Authenticate"] or answer["Proxy-Authenticate"]
        if answer.status not in (401, 407) or authorization:
            return answer
        value = digest(challenge, phone.number, password_of(phone.number), method, uri)
        name = "Authorization" if answer.status == 401 else "Proxy-Authorization"
        authorization = f"{name}: {value}\n"
    return None


def refused(phone: Phone, status: int, method: str, uri: str, *more: str, **others: str) -> Message:
    answer = ask(phone, method, uri, *more, **others)
    assert answer is not None, f"silence to {method} {uri}"
    assert answer.status == status, answer
    assert answer["CSeq"].endswith(f" {method}")
    assert answer.to_tag
    return answer


@pytest.mark.parametrize("method", ["INVITE", "REFER"])
def test_21_4_6_405_says_what_the_address_allows(alice: Phone, method: str) -> None:
    assert refused(alice, 405, method, SERVER)["Allow"] == "OPTIONS, REGISTER"


def test_21_5_2_501_is_for_words_that_are_no_method(alice: Phone) -> None:
    assert "INVITE" in refused(alice, 501, "FROBNICATE", SERVER, "Require: foo\n")["Allow"]


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH", "MESSAGE"])
def test_8_2_2_1_404_where_there_is_no_user(alice: Phone, method: str) -> None:
    refused(alice, 404, method, SERVER, DIALOG)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("PUBLISH", "REGISTER")])
def test_21_4_5_404_for_a_user_that_is_not_there(alice: Phone, method: str) -> None:
    refused(alice, 404, method, NOBODY, DIALOG)


@pytest.mark.parametrize(
    ("uri", "tag", "methods"),
    [(SERVER, "", IN_DIALOGS), (SERVER, ";tag=x", METHODS), (USER, ";tag=x", METHODS)],
)
def test_12_2_2_481_outside_of_any_dialog(
    alice: Phone, bob: Phone, uri: str, tag: str, methods: tuple[str, ...]
) -> None:
    for method in methods:
        refused(alice, 481, method, uri, DIALOG, to=f"<{uri}>{tag}")
    bob.nothing()


@pytest.mark.parametrize("uri", [SERVER, USER, ECHO, "tel:1", "sip:" + "a" * 3000 + "@b"])
def test_9_2_481_for_a_cancel_of_nothing(alice: Phone, uri: str) -> None:
    refused(alice, 481, "CANCEL", uri)


@pytest.mark.parametrize(
    ("method", "uri", "event"),
    [("OPTIONS", SERVER, ""), ("REGISTER", SERVER, ""), ("SUBSCRIBE", USER, DIALOG),
     ("PUBLISH", SELF, PRESENCE), ("INVITE", ECHO, "")],
)  # fmt: skip
def test_8_2_2_3_420_names_what_is_unsupported(
    alice: Phone, method: str, uri: str, event: str
) -> None:
    answer = refused(alice, 420, method, uri, f"{event}Require: magic, eventlist\n")
    assert sorted(answer["Unsupported"].split(", ")) == ["eventlist", "magic"]


def test_8_2_2_3_420_within_a_subscription_that_goes_on(alice: Phone, bob: Phone) -> None:
    watcher = watching(alice)
    watcher.extra = "Require: magic\n"
    assert watcher.subscribe().status == 420
    assert watcher.answer["Unsupported"] == "magic"
    watcher.extra = ""
    assert watcher.subscribe().status == 200


@pytest.mark.parametrize("method", FORWARDED)
def test_16_3_5_420_of_the_proxy_is_about_proxy_require_alone(
    alice: Phone, bob: Phone, method: str
) -> None:
    answer = refused(alice, 420, method, USER, "Require: 100rel\nProxy-Require: magic, x\n")
    assert answer["Unsupported"] == "magic, x"
    bob.nothing()


def test_20_29_proxy_require_is_nothing_to_the_one_who_is_asked(alice: Phone) -> None:
    refused(alice, 200, "OPTIONS", SERVER, "Proxy-Require: magic\n")


@pytest.mark.parametrize(
    ("method", "uri", "extra", "accept"),
    [("OPTIONS", SERVER, TEXT, "application/sdp"), ("REGISTER", SERVER, TEXT, "application/sdp"),
     ("OPTIONS", SERVER, SDP + PACKED, "application/sdp"),
     ("SUBSCRIBE", USER, DIALOG + TEXT, "application/sdp"),
     ("SUBSCRIBE", USER, DIALOG + SDP + PACKED, "application/sdp"),
     ("PUBLISH", SELF, PRESENCE + TEXT, "application/pidf+xml"),
     ("PUBLISH", SELF, PRESENCE + PIDF + PACKED, "application/pidf+xml"),
     ("INVITE", ECHO, TEXT, "application/sdp"), ("INVITE", ECHO, SDP + PACKED, "application/sdp")],
)  # fmt: skip
def test_8_2_3_415_says_what_is_accepted(
    alice: Phone, method: str, uri: str, extra: str, accept: str
) -> None:
    answer = refused(alice, 415, method, uri, extra, "hello")
    assert (answer["Accept"], answer["Accept-Encoding"]) == (accept, "identity")


@pytest.mark.parametrize(
    ("method", "uri", "event"),
    [("OPTIONS", SERVER, ""), ("REGISTER", SERVER, ""), ("SUBSCRIBE", USER, DIALOG),
     ("PUBLISH", SELF, PRESENCE), ("INVITE", ECHO, "")],
)  # fmt: skip
def test_21_4_28_493_for_what_is_under_lock(
    alice: Phone, method: str, uri: str, event: str
) -> None:
    refused(alice, 493, method, uri, event + LOCKED, "hello")


@pytest.mark.parametrize(
    ("method", "uri", "extra", "status"),
    [("SUBSCRIBE", USER, f"{DIALOG}Accept: text/plain\n", 406),
     ("INVITE", ECHO, "Accept: text/plain\n", 406),
     ("INVITE", ECHO, "Accept: text/plain, application/sdp;level=1\n", 200),
     ("INVITE", ECHO, "Accept: application/*\n", 200)],
)  # fmt: skip
def test_21_4_7_406_where_no_answer_could_be_read(
    alice: Phone, method: str, uri: str, extra: str, status: int
) -> None:
    refused(alice, status, method, uri, extra)


@pytest.mark.parametrize("method", METHODS)
def test_21_4_12_414_for_an_endless_uri(alice: Phone, method: str) -> None:
    refused(alice, 414, method, f"sip:{'a' * 3000}@{DOMAIN}", DIALOG)


@pytest.mark.parametrize("method", METHODS)
def test_21_4_14_416_for_a_scheme_that_nobody_knows(alice: Phone, method: str) -> None:
    refused(alice, 416, method, "nobody-knows:it", DIALOG)


@pytest.mark.parametrize(
    ("method", "uri", "extra"),
    [("REGISTER", SERVER, f"To: <{SELF}>\n"), ("SUBSCRIBE", USER, DIALOG),
     ("PUBLISH", SELF, PRESENCE + PIDF)],
)  # fmt: skip
def test_21_4_17_423_says_the_least(alice: Phone, method: str, uri: str, extra: str) -> None:
    to = f"<{SELF}>" if method == "REGISTER" else ""
    extra = "" if method == "REGISTER" else extra
    answer = refused(alice, 423, method, uri, f"{extra}Expires: 5\n", to=to)
    assert answer["Min-Expires"] == "60"


@pytest.mark.parametrize("method", FORWARDED)
def test_16_3_3_483_where_it_would_go_on(alice: Phone, bob: Phone, method: str) -> None:
    refused(alice, 483, method, USER, hops="0")
    bob.nothing()


@pytest.mark.parametrize(("method", "uri", "more"), [("OPTIONS", SERVER, ""), ("SUBSCRIBE", USER, DIALOG)])  # fmt: skip
def test_8_1_1_6_who_is_asked_himself_needs_no_hop(
    alice: Phone, method: str, uri: str, more: str
) -> None:
    refused(alice, 200, method, uri, more, hops="0")


@pytest.mark.parametrize(
    ("method", "event", "known"),
    [("SUBSCRIBE", "Event: magic\n", "dialog"), ("SUBSCRIBE", "", "dialog"),
     ("PUBLISH", "Event: dialog\n", "presence"), ("PUBLISH", "", "presence")],
)  # fmt: skip
def test_rfc6665_4_2_1_1_489_says_the_events(
    alice: Phone, method: str, event: str, known: str
) -> None:
    assert known in refused(alice, 489, method, SELF, event)["Allow-Events"]


@pytest.mark.parametrize(("uri", "to"), [(SERVER, ""), (USER, ""), (USER, ";tag=x"), ("tel:1", "")])
@pytest.mark.parametrize("extra", ["", "Require: magic\n", "Proxy-Require: magic\n", TEXT])
def test_17_1_1_3_an_ack_is_met_by_silence(alice: Phone, uri: str, to: str, extra: str) -> None:
    for hops in ("70", "0", "x"):
        assert ask(alice, "ACK", uri, extra, "x", to=f"<{uri}>{to}", hops=hops) is None


@pytest.mark.parametrize("host", ["255.255.255.255", "198.51.100.255", "224.0.1.75", "[ff02::1]"])
@pytest.mark.parametrize("status", [100, 180, 200, 407, 503, 699])
def test_18_1_2_a_response_with_a_broadcast_via_is_met_by_silence(
    alice: Phone, bob: Phone, host: str, status: int
) -> None:
    before = len(alice.wire.sent)
    alice.send(
        f"SIP/2.0 {status} Hello\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnever\n"
        f"Via: SIP/2.0/UDP {host};branch=z9hG4bKbcast\nFrom: <{SELF}>;tag=1\nTo: <{USER}>;tag=2\n"
        "Call-ID: bcast\nCSeq: 1 INVITE\nContent-Length: 0\n\n"
    )
    assert len(alice.wire.sent) == before


def test_18_2_2_a_request_with_a_broadcast_via_is_answered_to_its_source_alone(
    alice: Phone,
) -> None:
    before = len(alice.wire.sent)
    alice.send(
        f"OPTIONS {SERVER} SIP/2.0\nVia: SIP/2.0/UDP 255.255.255.255:5060;branch=z9hG4bKb\n"
        f"Max-Forwards: 70\nFrom: <{SELF}>;tag=1\nTo: <{SERVER}>\nCall-ID: b\nCSeq: 1 OPTIONS\n"
        "Content-Length: 0\n\n"
    )
    assert "received=198.51.100.1" in alice.response(200)["Via"]
    assert len(alice.wire.sent) == before + 1
