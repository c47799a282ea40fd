from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbx.configfile import stored
from pbx.configfile.applying import apply
from pbx.configfile.document import CallSettings, Device, Document, Extension, Rule
from pbx.configfile.reading import read
from pbx.configfile.writing import write
from pbx.directory.models import Domain
from pbx.directory.passwords import Secrets

DOMAIN = "pbx.example"

numbers = st.text(string.ascii_letters + string.digits + "*#+-._", min_size=1, max_size=12)
one_line = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=30
)
names = one_line.filter(bool)
destinations = st.one_of(
    st.sampled_from(["0999", "0999@other.example", "sip:gate@[2001:db8::1]:5070;transport=tcp"]),
)
hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)
secrets = hexadecimal.map(lambda text: Secrets(text[:32], text))
devices = st.builds(
    Device,
    name=names,
    mac=st.sampled_from(["", "00:1a:2b:3c:4d:5e"]),
    user_agent=one_line,
    notes=st.lists(one_line, max_size=3).map("\r\n\t".join),
)
seconds = st.integers(1, 170)
rules = st.builds(
    Rule,
    name=names,
    called=st.sampled_from(["1999", "19*", "*", r"/^19(\d\d)$/"]),
    action=st.sampled_from(["forward", "redirect", "redirect_contacts"]),
    enabled=st.booleans(),
    strategy=st.sampled_from(["simultaneous", "sequential"]),
    timeout=seconds,
    status=st.integers(400, 699),
    reason=one_line,
    follow_redirects=st.booleans(),
    targets=st.lists(destinations, min_size=1, max_size=3).map(tuple),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    document = Document(DOMAIN, draw(st.sampled_from(["proxy", "redirect"])))
    document.calls = draw(
        st.builds(
            CallSettings,
            session_timer=st.sampled_from([0, 90, 1800, 86_400]),
            assert_identity=st.booleans(),
            trusted=st.lists(st.ip_addresses().map(str), max_size=3).map(tuple),
        )
    )
    for number in draw(st.lists(numbers, max_size=4, unique=True)):
        document.extensions[number] = draw(
            st.builds(
                Extension,
                number=st.just(number),
                name=one_line,
                enabled=st.booleans(),
                max_contacts=st.integers(1, 100),
                ring_timeout=seconds,
                forward_always=st.one_of(st.just(""), destinations),
                forward_busy=st.one_of(st.just(""), destinations),
                forward_no_answer=st.one_of(st.just(""), destinations),
                forward_no_answer_after=seconds,
            )
        )
        if draw(st.booleans()):
            document.secrets[number] = draw(secrets)
        found = draw(st.lists(devices, max_size=2, unique_by=lambda device: device.name))
        if found:
            document.devices[number] = tuple(sorted(found, key=lambda device: device.name))
    for rule in draw(st.lists(rules, max_size=3, unique_by=lambda rule: rule.name)):
        document.rules[rule.name] = rule
    return document


def text(document: Document) -> str:
    return "".join(write(document))


@given(documents())
def test_what_is_written_is_read_back(document: Document) -> None:
    again = read(text(document).encode())
    assert again == document
    assert list(again.rules) == list(document.rules)


@pytest.mark.django_db
@settings(
    max_examples=25,
    deadline=None,
    # Each example makes the whole configuration anew, so they may share one transaction.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(documents())
def test_export_then_apply_changes_nothing(document: Document) -> None:
    apply(document, prune=True)
    domain = Domain.objects.get()
    first = text(stored.load(domain))
    outcome = apply(read(first.encode()), prune=True)
    assert not outcome.changed
    assert text(stored.load(domain)) == first
    wanted = stored.load(domain)
    assert wanted.extensions == document.extensions
    assert list(wanted.rules.items()) == list(document.rules.items())
    assert wanted.devices == document.devices


@pytest.mark.django_db
def test_export_of_one_system_makes_the_same_on_another() -> None:
    source = Document(
        DOMAIN,
        "redirect",
        {"1001": Extension("1001", "Zoë “Z” \\ Ångström")},
        {"1001": Secrets("a" * 32, "b" * 64)},
        {},
        {"r": Rule("r", "1999", "reject", status=603, reason="No")},
    )
    apply(source)
    first = text(stored.load(Domain.objects.get()))
    Domain.objects.get().rules.all().delete()
    Domain.objects.get().extensions.all().delete()
    Domain.objects.all().delete()
    apply(read(first.encode()))
    assert text(stored.load(Domain.objects.get())) == first


def test_the_file_is_readable() -> None:
    document = Document(
        DOMAIN,
        "proxy",
        {"1001": Extension("1001", "Alice", forward_busy="1002")},
        {},
        {},
        {"team": Rule("team", r"/^15(\d\d)$/", "forward", targets=("1001", "10{1}"))},
    )
    assert text(document) == (
        "version: 1\n"
        'domain: "pbx.example"\n'
        "mode: proxy\n"
        "extensions:\n"
        '  - number: "1001"\n'
        '    name: "Alice"\n'
        "    max_contacts: 10\n"
        "    ring_timeout: 60\n"
        '    forward: {always: null, busy: "1002", no_answer: null, no_answer_after: 20}\n'
        "rules:\n"
        '  - name: "team"\n'
        '    called: "/^15(\\\\d\\\\d)$/"\n'
        "    action: forward\n"
        "    strategy: simultaneous\n"
        "    timeout: 20\n"
        '    targets: ["1001", "10{1}"]\n'
    )
