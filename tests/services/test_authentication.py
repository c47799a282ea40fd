"""Challenges and credentials (RFC 3261 §22, RFC 7616, RFC 8760)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.services import nonces
from sipengine.services.authentication import LIFETIME, Authenticator, Refusal
from sipengine.services.nonces import Nonces
from sipengine.sip.flow import Flow
from tests.services.phones import ALICE, DOMAIN, LOCAL, SNAPSHOT, credentials, request

NOW = 5000.5
KEY = b"k" * 32


def authenticator(**options: object) -> Authenticator:
    return Authenticator(KEY, **options)  # type: ignore[arg-type]


def challenged(auth: Authenticator, algorithm: str = "MD5", now: float = NOW) -> str:
    lines = auth.challenge(DOMAIN, False, False, now)
    return next(line for line in lines if f"algorithm={algorithm}," in line)


def check(auth: Authenticator, *lines: str, now: float = NOW, **parts: object) -> object:
    return auth.check(request(*lines, **parts), False, SNAPSHOT, DOMAIN, now)  # type: ignore[arg-type]


def nonce_of(line: str) -> str:
    match = re.search(r'nonce="([^"]+)"', line)
    assert match is not None
    return match[1]


# ---------------------------------------------------------------------- challenges


def test_one_line_an_algorithm_rfc8760_2_4() -> None:
    lines = authenticator().challenge(DOMAIN, False, False, NOW)
    assert [re.sub(r'nonce="\w+"', "N", line) for line in lines] == [
        f'WWW-Authenticate: Digest realm="{DOMAIN}", N, algorithm=MD5, qop="auth"',
        f'WWW-Authenticate: Digest realm="{DOMAIN}", N, algorithm=SHA-256, qop="auth"',
    ]


def test_proxy_challenge_and_stale_rfc3261_22_3() -> None:
    for line in authenticator().challenge(DOMAIN, True, True, NOW):
        assert line.startswith("Proxy-Authenticate: Digest ")
        assert line.endswith(', qop="auth", stale=true')


@pytest.mark.parametrize(
    ("agent", "algorithms"),
    [
        ("", ["MD5", "SHA-256"]),
        ("Yealink SIP-T46S 66.86.0.15", ["MD5", "SHA-256"]),
        ("baresip v1.0.0 (x86_64/linux)", ["MD5"]),
        ("baresip v3.10.1 (x86_64/Linux)", ["MD5"]),
        ("baresip v3.11.0 (x86_64/Linux)", ["MD5", "SHA-256"]),
        ("Linphonec/5.1.65 (belle-sip/5.1.65)", ["SHA-256", "MD5"]),
        ("Linphone Desktop/5.0.2 (pc) LinphoneCore/5.2.0", ["SHA-256", "MD5"]),
        ("Linphone/3.6.1 (eXosip2/4.1.0)", ["MD5", "SHA-256"]),
        ("Twinkle/1.10.2", ["SHA-256", "MD5"]),
    ],
)
def test_order_of_challenges_is_what_phones_can_bear(agent: str, algorithms: list[str]) -> None:
    lines = authenticator().challenge(DOMAIN, False, False, NOW, agent)
    assert [re.findall(r"algorithm=([\w-]+)", line)[0] for line in lines] == algorithms


@pytest.mark.parametrize("transport", ["WS", "WSS"])
@pytest.mark.parametrize("agent", ["JsSIP 3.13.8", "SIP.js/0.21.2", "Branchline web phone", ""])
def test_rfc8760_2_4_sha_256_stands_first_for_browsers_and_md5_last(
    transport: str, agent: str
) -> None:
    sender = Flow(transport, ("192.0.2.1", 8088), ("198.51.100.7", 40000))
    lines = authenticator().challenge(DOMAIN, False, False, NOW, agent, sender)
    assert [re.findall(r"algorithm=([\w-]+)", line)[0] for line in lines] == ["SHA-256", "MD5"]


def test_md5_may_be_left_out() -> None:
    auth = authenticator(md5=False)
    (line,) = auth.challenge(DOMAIN, False, False, NOW, "baresip v1.0.0")
    assert "algorithm=SHA-256" in line
    assert check(auth, credentials(line)) is ALICE
    weak = credentials(line.replace("SHA-256", "MD5"), nc=2)
    assert check(auth, weak) is Refusal.NO_CREDENTIALS


def test_every_challenge_has_its_own_nonce() -> None:
    auth = authenticator()
    assert len({nonce_of(challenged(auth)) for _ in range(100)}) == 100


# ---------------------------------------------------------------------- credentials


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", [True, False], ids=["qop", "without qop (rfc3261 22.4)"])
def test_right_password_is_the_extension(algorithm: str, qop: bool) -> None:
    auth = authenticator()
    assert check(auth, credentials(challenged(auth, algorithm), qop=qop)) is ALICE


def test_no_credentials_for_our_realm() -> None:
    auth = authenticator()
    other = credentials(challenged(auth).replace(DOMAIN, "elsewhere.test"))
    assert check(auth) is Refusal.NO_CREDENTIALS
    assert check(auth, other) is Refusal.NO_CREDENTIALS
    assert check(auth, "Authorization: Bearer abc") is Refusal.NO_CREDENTIALS


def test_ours_is_found_among_several_lines_rfc3261_22_3() -> None:
    auth = authenticator()
    other = credentials(challenged(auth).replace(DOMAIN, "elsewhere.test"))
    assert check(auth, other, credentials(challenged(auth)), other) is ALICE


def test_proxy_and_registrar_read_their_own_header() -> None:
    auth = authenticator()
    line = credentials(challenged(auth), header="Proxy-Authorization")
    assert check(auth, line) is Refusal.NO_CREDENTIALS
    assert auth.check(request(line), True, SNAPSHOT, DOMAIN, NOW) is ALICE


def test_wrong_password_and_unknown_user_are_the_same_refusal() -> None:
    auth = authenticator()
    assert check(auth, credentials(challenged(auth), ha1="f" * 32)) is Refusal.WRONG
    assert check(auth, credentials(challenged(auth), username="9999")) is Refusal.WRONG
    assert (
        check(auth, credentials(challenged(auth), ha1="0" * 32, username="9999")) is Refusal.WRONG
    )


def test_user_without_a_secret_never_gets_in() -> None:
    """The stand-in that is hashed for unknown users opens no door."""
    auth = authenticator()
    bare = type(ALICE)("1002", DOMAIN)
    snapshot = type(SNAPSHOT)(extensions={bare.aor: bare})
    line = credentials(challenged(auth), username="1002", ha1="0" * 32)
    assert auth.check(request(line), False, snapshot, DOMAIN, NOW) is Refusal.WRONG


def test_username_is_the_number_strictly() -> None:
    auth = authenticator()
    line = credentials(challenged(auth), username=f"1001@{DOMAIN}")
    assert check(auth, line) is Refusal.WRONG


def test_method_is_in_the_hash() -> None:
    auth = authenticator()
    assert check(auth, credentials(challenged(auth), method="INVITE")) is Refusal.WRONG


@pytest.mark.parametrize(
    ("digest_uri", "request_uri", "fits"),
    [
        ("sip:pbx.test", "sip:pbx.test", True),
        ("sip:127.0.0.1:5060", "sip:1002@pbx.test", True),  # SIPp
        ("sip:pbx.test;transport=udp", "sip:pbx.test", True),
        ("sip:1002@10.0.0.1", "sip:1002@pbx.test;user=phone", True),
        ("sip:%31002@pbx.test", "sip:1002@pbx.test", True),
        ("sip:1003@pbx.test", "sip:1002@pbx.test", False),
        ("sip:1003@pbx.test", "sip:pbx.test", False),
        ("tel:1002", "tel:1002", True),
        ("tel:1003", "tel:1002", False),
        ("junk", "sip:pbx.test", False),
    ],
)
def test_digest_uri_names_the_same_user_rfc7616_3_4_6(
    digest_uri: str, request_uri: str, fits: bool
) -> None:
    auth = authenticator()
    line = credentials(challenged(auth), uri=digest_uri)
    assert check(auth, line, uri=request_uri) is (ALICE if fits else Refusal.MALFORMED)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('response="', 'rasponse="'),
        ('username="1001"', 'username=""'),
        ("nc=00000001", "nc=junk"),
        ("nc=00000001", "nc=123456789"),
        ("nc=00000001", "nc=+1"),
        ("qop=auth", "qop=auth-int"),
        ('cnonce="c0ffee"', 'cnonce=""'),
        ('uri="', "uri=broken quote"),
    ],
)
def test_broken_credentials_are_malformed(old: str, new: str) -> None:
    auth = authenticator()
    line = credentials(challenged(auth))
    assert old in line
    assert check(auth, line.replace(old, new)) is Refusal.MALFORMED


def test_algorithm_is_md5_if_unsaid_and_has_no_case() -> None:
    auth = authenticator()
    line = credentials(challenged(auth))
    assert check(auth, line.replace(", algorithm=MD5", "")) is ALICE
    line = credentials(challenged(auth, "SHA-256"))
    assert check(auth, line.replace("algorithm=SHA-256", 'algorithm="sha-256"')) is ALICE


@given(st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=200))
def test_no_header_raises(text: str) -> None:
    auth = authenticator()
    assert isinstance(check(auth, f"Authorization: {text}"), Refusal)
    line = credentials(challenged(auth))
    for place in range(15, len(line), 37):
        assert check(auth, line[:place] + text + line[place:]) in (ALICE, *Refusal)


# ---------------------------------------------------------------------- nonces


def test_nonce_expires_to_stale_rfc7616_3_3() -> None:
    auth = authenticator()
    line = challenged(auth)
    assert check(auth, credentials(line), now=NOW + LIFETIME - 1) is ALICE
    assert check(auth, credentials(line, nc=2), now=NOW + LIFETIME + 1) is Refusal.STALE


def test_rfc7616_3_3_an_old_nonce_is_stale_whatever_the_password() -> None:
    """Else anybody could have passwords checked with a nonce of his own making."""
    auth = authenticator()
    line = credentials(challenged(auth), ha1="f" * 32)
    assert check(auth, line, now=NOW + LIFETIME + 1) is Refusal.STALE


def test_rfc7616_5_5_a_nonce_serves_the_source_that_it_was_given_to() -> None:
    auth = authenticator()
    here, elsewhere = Flow("UDP", LOCAL, ("192.0.2.7", 1)), Flow("UDP", LOCAL, ("192.0.2.8", 1))
    lines = auth.challenge(DOMAIN, False, False, NOW, sender=here)
    line = credentials(next(one for one in lines if "algorithm=MD5," in one))

    def asked(sender: Flow) -> object:
        return auth.check(request(line), False, SNAPSHOT, DOMAIN, NOW, sender=sender)

    assert asked(elsewhere) is Refusal.STALE
    assert asked(Flow("TCP", LOCAL, ("192.0.2.7", 2))) is ALICE
    assert asked(here) is Refusal.STALE  # used


@pytest.mark.parametrize("nonce", ["1", "junk", "0" * 30, "f" * 40, "-" * 30, "_1_1_1_1" * 4])
def test_nonce_of_somebody_else_is_stale(nonce: str) -> None:
    auth = authenticator()
    line = challenged(auth)
    forged = line.replace(nonce_of(line), nonce)
    assert check(auth, credentials(forged)) is Refusal.STALE


def test_nonce_of_another_process_realm_or_second_is_stale() -> None:
    auth = authenticator()
    line = challenged(auth)
    foreign = challenged(Authenticator(b"x" * 32))
    assert check(auth, credentials(foreign)) is Refusal.STALE
    elsewhere = nonce_of(auth.challenge("other.test", False, False, NOW)[0])
    assert check(auth, credentials(line.replace(nonce_of(line), elsewhere))) is Refusal.STALE
    second = nonce_of(line)[:8]
    later = nonce_of(line).replace(second, f"{int(NOW) - 1:08x}")
    assert check(auth, credentials(line.replace(nonce_of(line), later))) is Refusal.STALE
    future = challenged(auth, now=NOW + 10)
    assert check(auth, credentials(future)) is Refusal.STALE


def test_overlong_serial_is_stale_and_fills_no_table() -> None:
    auth = authenticator()
    line = challenged(auth)
    long = line.replace(nonce_of(line), nonce_of(line) + "0" * 1000)
    assert check(auth, credentials(long)) is Refusal.STALE
    assert len(auth.nonces) == 0


def test_replayed_count_is_stale_rfc7616_5_5() -> None:
    auth = authenticator()
    line = challenged(auth)
    assert check(auth, credentials(line)) is ALICE
    assert check(auth, credentials(line)) is Refusal.STALE
    assert check(auth, credentials(line, nc=2)) is ALICE


def test_without_a_count_a_nonce_serves_once() -> None:
    auth = authenticator()
    line = credentials(challenged(auth), qop=False)
    assert check(auth, line) is ALICE
    assert check(auth, line) is Refusal.STALE


def test_wrong_passwords_use_no_counts_up() -> None:
    auth = authenticator()
    line = challenged(auth)
    assert check(auth, credentials(line, ha1="f" * 32)) is Refusal.WRONG
    assert check(auth, credentials(line)) is ALICE


def test_retransmission_passes_again_for_a_while_but_not_from_elsewhere() -> None:
    auth = authenticator()
    phone, thief = Flow("UDP", LOCAL, ("10.0.0.5", 5060)), Flow("UDP", LOCAL, ("10.0.0.6", 5060))
    message = request(credentials(challenged(auth)))
    altered = request(credentials(challenged(auth)), "Contact: <sip:thief@10.0.0.6>")

    def check_from(flow: Flow, now: float = NOW) -> object:
        return auth.check(message, False, SNAPSHOT, DOMAIN, now, flow)

    assert check_from(phone) is ALICE
    assert check_from(phone, NOW + 16) is ALICE
    assert check_from(thief) is Refusal.STALE
    assert auth.check(altered, False, SNAPSHOT, DOMAIN, NOW, phone) is ALICE
    altered.replace("Contact", ["<sip:other@10.0.0.6>"])
    assert auth.check(altered, False, SNAPSHOT, DOMAIN, NOW, phone) is Refusal.STALE
    check(auth, credentials(challenged(auth, now=NOW + 70)), now=NOW + 70)
    check(auth, credentials(challenged(auth, now=NOW + 140)), now=NOW + 140)
    assert check_from(phone, NOW + 141) is Refusal.STALE


def test_on_a_connection_nothing_is_retransmitted() -> None:
    auth = authenticator()
    flow = Flow("TCP", LOCAL, ("10.0.0.5", 40000))
    message = request(credentials(challenged(auth)))
    assert auth.check(message, False, SNAPSHOT, DOMAIN, NOW, flow) is ALICE
    assert auth.check(message, False, SNAPSHOT, DOMAIN, NOW, flow) is Refusal.STALE


# ---------------------------------------------------------------------- counts


@given(st.lists(st.integers(0, 100), max_size=80))
def test_each_count_passes_once_and_late_ones_within_the_window(counts: list[int]) -> None:
    table = Nonces(KEY, LIFETIME)
    nonce = table.head(DOMAIN, int(NOW)) + table.origin("") + table.serial()
    highest, seen = -1, set()
    for count in counts:
        fresh = count not in seen and (highest < 0 or count > highest - 32)
        assert table.use(nonce, count, 0, NOW) is fresh
        if fresh:
            seen.add(count)
            highest = max(highest, count)


@pytest.mark.pure
def test_a_full_table_forgets_whole_seconds_and_nothing_becomes_replayable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nonces, "MAX_USED", 10)
    table = Nonces(KEY, LIFETIME)
    used = []
    for second in range(100, 110):
        for _ in range(3):
            nonce = table.head(DOMAIN, second) + table.origin("") + table.serial()
            assert table.use(nonce, 1, 0, second + 0.5)
            used.append(nonce)
    assert len(table) <= 10
    assert not any(table.use(nonce, 1, 0, 109.9) for nonce in used)
    unused = table.head(DOMAIN, 100) + table.origin("") + table.serial()
    assert not table.use(unused, 1, 0, 109.9), "older than what is remembered"
    fresh = table.head(DOMAIN, 109) + table.origin("") + table.serial()
    assert table.use(fresh, 1, 0, 109.9)


def test_old_seconds_are_swept() -> None:
    table = Nonces(KEY, LIFETIME)
    for second in range(0, 3000, 10):
        nonce = table.head(DOMAIN, second) + table.origin("") + table.serial()
        table.use(nonce, 1, 0, float(second))
    assert len(table) <= LIFETIME // 10 + 1
