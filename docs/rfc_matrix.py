#!/usr/bin/env python3
"""Writes docs/rfc-matrix.md: which RFC section is served by which module and proved by which test.

Modules are found by the sections their docstrings and comments cite ("RFC 6026 §7.2"; "§17.1" alone is of RFC 3261), tests by their names: `test_16_7_6_..` is RFC 3261 §16.7.6, `test_6026_7_1_..`
or `.._rfc6026_7_1` is RFC 6026 §7.1. `make matrix` runs it; a test sees that it was run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rfc-matrix.md"
CITATION = re.compile(r"RFC (\d{4})(?:,? §(\d+(?:\.\d+)*))?|§(\d+(?:\.\d+)*)")
NEAR = 15
"""Characters within which "§3.1" after "RFC 3581 §2" still means that RFC; else it means RFC 3261."""

TEST = re.compile(r"def (test_\w+)")
SUFFIX = re.compile(r"_rfc(\d{4})((?:_\d+)*)$")
PREFIX = re.compile(r"test_(?:rfc_?)?((?:\d+_)+)")

PARTS_3261 = {
    "": 28, "7": 5, "7.3": 3, "7.4": 2, "8": 3, "8.1": 3, "8.1.1": 10, "8.1.3": 5, "8.2": 7,
    "8.2.2": 3, "8.2.6": 2, "9": 2, "10": 3, "10.2": 8, "10.2.1": 2, "10.3": 8, "11": 2, "12": 3,
    "12.1": 2, "12.2": 2, "12.2.1": 2, "13": 3, "13.2": 2, "13.2.2": 4, "13.3": 1, "13.3.1": 4,
    "14": 2, "15": 1, "15.1": 2, "16": 12, "16.3": 6, "16.6": 11, "16.7": 10, "16.12": 1,
    "16.12.1": 3, "17": 2, "17.1": 4, "17.1.1": 3, "17.1.2": 2, "17.2": 4, "18": 4, "18.1": 2,
    "18.2": 2, "19": 3, "19.1": 6, "20": 44, "21": 6, "21.1": 5, "21.2": 1, "21.3": 5, "21.4": 28,
    "21.5": 7, "21.6": 4, "22": 4, "23": 4, "24": 2, "25": 1, "26": 5,
}  # fmt: skip
"""How many sections each section of RFC 3261 has; chapters 23 to 26 to their first level."""

STEPS_3261 = {"10.3", "16.3", "16.6", "16.7"}
"""Those whose parts are the numbered steps of a list: what a test calls 16_7_5 is step 5 of §16.7."""

TITLES = {
    2308: "negative DNS answers", 2782: "SRV", 3403: "NAPTR",
    3428: "MESSAGE", 3680: "registration events", 3842: "message waiting",
    3856: "presence", 3863: "PIDF", 3903: "PUBLISH",
    4235: "dialog events", 4480: "RPID", 6665: "event notification",
    2617: "HTTP digest (old)", 3261: "SIP", 3262: "PRACK", 3263: "locating servers",
    3264: "offer/answer", 3311: "UPDATE", 3326: "Reason", 3420: "sipfrag", 3515: "REFER",
    3725: "third-party call control", 3891: "Replaces", 4028: "session timers",
    5057: "dialog usages", 6337: "offer/answer in practice", 8866: "SDP",
    3323: "privacy", 3325: "asserted identity", 4458: "why a call was forwarded", 5589: "transfers",
    5806: "Diversion", 7044: "History-Info", 7989: "Session-ID", 8606: "where a reason comes from",
    3608: "Service-Route", 4787: "NAT behaviour", 5389: "STUN", 5627: "GRUU",
    3327: "Path", 3581: "rport", 3665: "basic call flows", 4320: "non-INVITE fixes",
    4475: "torture tests", 5118: "IPv6 torture tests", 5393: "fork amplification",
    5407: "races", 5626: "Outbound", 5658: "Record-Route fixes", 5954: "IPv6 in URIs",
    6026: "INVITE transaction fixes", 5922: "domain certificates", 5923: "connection reuse", 6455: "WebSocket",
    6761: "special names", 7118: "SIP over WebSocket", 7616: "digest SHA-256", 7984: "dual-stack servers",
    8760: "digest SHA-256 in SIP", 9562: "UUID",
}  # fmt: skip

NOT_DONE = """## Not done

| RFC | what is missing |
| --- | --- |
| 3261 §18.2.2 | an answer over UDP that bounces is not sent to where the name in the Via leads, over a connection it is; `maddr` in a Via is not followed, as it would let strangers send our answers anywhere |
| 3261 §8.2.2.2 | a copy of a request that comes by another way is told 482 where this server itself answers (its own calls, redirects, events, kept messages); REGISTER and OPTIONS are answered without state (§8.2.7), so that there is no transaction that a copy could be merged with, and what is only forwarded is for the phone to judge |
| 3261 §10.2 | a user in the Request-URI of a REGISTER, where none may stand, is overlooked |
| 3261 §10.3 step 1 | a REGISTER for another domain is forwarded for users of ours alone; whoever names himself by the other domain in From is told 403 |
| 5630 | a phone that registered `sip:` over TLS is rung for `sips:`, too |
| 5923 §7.2 | an `alias` in the Via of a connection that was made to us counts for nothing: clients are not asked for a certificate, which it would take |
| 6665 §3.1.3 | `application/cpim-pidf+xml` gets the same documents under that name; after a restart of the engine under their own until the next refresh |
| 6665 §4.5, 4662 | no resource lists: a phone subscribes to each lamp by itself |
| 4235 §3.2 | the parameters of the Event header that choose one dialog are not looked at: all dialogs of the user are told, without the phones' own dialog identifiers |
| 3842 | nothing counts voice messages yet: the lamp is off; no unsolicited NOTIFY |
| 3680 | a user hears of his own phones alone; a refresh is no news of its own, it shows with the next; no `deactivated` or `shortened`, as nothing here does that |
| 3856, 3903 | published presence is forgotten with the engine (412 brings it back); nobody is asked for leave to watch |
| 3323 §5 | of the privacy levels `id` and `none` are done, `history` in History-Info; `header`, `session`, `user` and words that are not known are handed on, and refused with 500 where a new request calls them critical; `Proxy-Require: privacy` is 420 whatever level is asked for |
| 3325 | while no domain vouches for anybody or trusts another server, answers go back as they came; only answers to a new INVITE name an extension, in answers to other requests a trusted server alone is believed, and not where it is known by name or is one of several places asked; a request other than INVITE with `Privacy: id` names its sender to nobody, trusted hosts included |
| 4028 §8 | after a restart a session is watched again from its next refresh on |
| 3327 | Path is stored and used; this server is no edge for other registrars and adds none |
| 7989 §7 | a phone that names no session gets no name from this server; a call that the telephone system itself begins has one only once the other side gave its own |
| 3608 | no Service-Route is sent (docs/decisions/0008) |
| 3428 | a message to a phone that does not answer at all is not kept: its sender sees no answer |
| 5393 §5.3.3 | a request to one place gets no Max-Breadth where it brought none: whoever forks it supposes the same 60; where the breadth does not suffice it is 440, not one phone after the other, and of the Contacts of a followed 3xx the first so many; the phones of a stage whose time is over count no more while their last answers are awaited |
| 3665 §3.3 | two proxies that both challenge: no test |
| 3665 §3.1, §3.4, §3.5 | flows without a proxy, of a client that tries another proxy, and of an ALG: this server has no part in them |
| 3891 | a call that replaces another one without REFER (a pickup) is a row of its own |
| 7044, 5806 | written where an extension forwards a call; a rule's targets get entries only if the request brought some |
| 5626 §5.1 | this server is no edge proxy for other registrars: it adds no Path with a flow token |
| 3515 | a REFER to one of our own sessions is handed to the phone on its other side, and declined (603) where that says nothing of REFER, or is the echo test or the tone |
| 3725 | flow III alone |
| 3891 §3 | a session of ours whose caller waits for our answer cannot be replaced (481), nor the echo test and the tone (603) |
"""


def sections_of_modules() -> dict[tuple[int, str], set[str]]:
    found: dict[tuple[int, str], set[str]] = defaultdict(set)
    for path in sorted((ROOT / "sipengine").rglob("*.py")):
        module = str(path.relative_to(ROOT / "sipengine"))
        rfc, seen_at = 3261, -NEAR
        for match in CITATION.finditer(path.read_text(encoding="utf-8")):
            if match[1]:
                rfc, seen_at = int(match[1]), match.end()
                found[rfc, match[2] or ""].add(module)
            else:
                near = match.start() - seen_at < NEAR
                seen_at = match.end() if near else seen_at
                found[rfc if near else 3261, match[3]].add(module)
    return found


def section_of_test(name: str) -> tuple[int, str] | None:
    suffix = SUFFIX.search(name)
    if suffix:
        return int(suffix[1]), suffix[2].strip("_").replace("_", ".")
    prefix = PREFIX.match(name)
    if prefix is None:
        return None
    numbers = prefix[1].strip("_").split("_")
    ends = (at for at, text in enumerate(numbers) if at and len(text) > 2)  # a status, another RFC
    numbers = numbers[: next(ends, len(numbers))]
    if int(numbers[0]) in TITLES:
        return int(numbers[0]), ".".join(numbers[1:])
    if int(numbers[0]) <= 26:
        return 3261, ".".join(numbers)
    return None


def exists(section: str) -> bool:
    """Whether RFC 3261 has that section, or that step of one."""
    parts = section.split(".")
    for at, part in enumerate(parts):
        above = ".".join(parts[:at])
        if int(parts[0]) > 22 and at > 1:
            return True
        if not 1 <= int(part) <= PARTS_3261.get(above, 0):
            return False
    return True


def unknown_sections() -> set[str]:
    """What tests and modules cite of RFC 3261 that is not in it."""
    cited = {section for rfc, section in sections_of_modules() | sections_of_tests() if rfc == 3261}
    return {section for section in cited if section and not exists(section)}


def sections_of_tests() -> dict[tuple[int, str], set[str]]:
    found: dict[tuple[int, str], set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for match in TEST.finditer(path.read_text(encoding="utf-8")):
            section = section_of_test(match[1])
            if section is not None:
                found[section].add(f"{path.relative_to(ROOT / 'tests')}")
    return found


def order(section: str) -> list[int]:
    return [int(part) for part in section.split(".")] if section else []


def page() -> str:
    modules, tests = sections_of_modules(), sections_of_tests()
    out = [
        "# RFC matrix",
        "",
        "Made by `docs/rfc_matrix.py` from the sources: sections that code cites, and tests that name them.",
        "",
    ]
    for rfc in sorted({key[0] for key in modules | tests}):
        out += [
            f"## RFC {rfc} {TITLES.get(rfc, '')}".rstrip(),
            "",
            "| section | module | tests |",
            "| --- | --- | --- |",
        ]
        keys = sorted({key for key in modules | tests if key[0] == rfc}, key=lambda k: order(k[1]))
        for key in keys:
            if not key[1] and not tests.get(key) and len(keys) > 1:
                continue  # the bare mention of an RFC whose sections are listed
            where = ", ".join(f"`{m}`" for m in sorted(modules.get(key, ())))
            proof = ", ".join(f"`{t}`" for t in sorted(tests.get(key, ())))
            above, _, last = key[1].rpartition(".")
            name = f"§{key[1]}" if key[1] else "as a whole"
            if rfc == 3261 and above in STEPS_3261:
                name = f"§{above} step {last}"
            out.append(f"| {name} | {where} | {proof} |")
        out.append("")
    return "\n".join(out) + "\n" + NOT_DONE


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
