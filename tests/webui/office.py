"""Rows as the engine would write them: an office of nine phones, its calls of today and now."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from typing import Any

from django.utils import timezone

from pbx.calls.models import Call, Leg
from pbx.directory.actions import add_domain, add_extension, make_default
from pbx.directory.models import Domain, Extension
from pbx.enginelink.models import EngineStatus
from pbx.registrations.models import Binding
from pbx.routing.models import Rule, Target
from tests.pbx.guard.rows import ban

DOMAIN = "pbx.example"
PEOPLE = [
    ("207", "Jonas Weber", "Yealink SIP-T54W 96.86.0.70"),
    ("214", "Mira Okafor", "Yealink SIP-T54W 96.86.0.70"),
    ("218", "Lena Hartmann", "Linphone-Desktop/5.2.4"),
    ("219", "Reception", "snomD785/10.1.175.16"),
    ("221", "Sara Lindqvist", "PolycomVVX-VVX_450-UA/6.4.3"),
    ("225", "Priya Nair", "baresip v1.0.0 (x86_64/linux)"),
    ("231", "Tom Adeyemi", "LinphoneAndroid/5.2.5"),
    ("236", "Warehouse", "N670 IP PRO/83.V2.54.0"),
    ("240", "Elena Rossi", "Grandstream GRP2614 1.0.11.64"),
]


def seconds(n: float) -> dt.timedelta:
    return dt.timedelta(seconds=n)


def heartbeat(age: float = 1.0) -> EngineStatus:
    now = timezone.now()
    return EngineStatus.objects.update_or_create(
        name="engine",
        defaults={
            "pid": 4711,
            "started_at": now - dt.timedelta(hours=6),
            "heartbeat_at": now - seconds(age),
            "counters": {
                "calls": 312,
                "registrations": 9,
                "guard_bans_now": 3,
                "guard_dropped": 18_204,
                "guard_unanswered": 811,
                "guard_wrong_passwords": 94,
                "credentials_wrong": 94,
                "guard_scanners": 407,
            },
        },
    )[0]


def domain() -> Domain:
    found = Domain.objects.filter(name=DOMAIN).first()
    return found or make_default(add_domain(DOMAIN))


def people() -> list[Extension]:
    return [
        add_extension(domain(), number, f"secret-{number}", name=name) for number, name, _ in PEOPLE
    ]


def register(number: str, device: str, transport: str = "udp", **fields: Any) -> Binding:
    now = timezone.now()
    host = f"10.20.4.{int(number) % 250}"
    values = {
        "aor": f"{number}@{DOMAIN}",
        "contact": f"sip:{number}@{host}:5060;transport={transport}",
        "expires_at": now + seconds(3600 - int(number) * 7 % 900),
        "call_id": uuid.uuid4().hex,
        "cseq": 1,
        "transport": transport,
        "received": f"{host}:5060",
        "local": "10.20.1.1:5060",
        "user_agent": device,
        "registered_at": now - seconds(600),
        "updated_at": now - seconds(60),
    }
    return Binding.objects.create(**{**values, **fields})


def address(number: str) -> str:
    return number if "@" in number else f"{number}@{DOMAIN}"


def call(caller: str, called: str, **fields: Any) -> Call:
    """A call as the engine writes it; `fields` overrule. Times may be given as ages in seconds."""
    now = timezone.now()
    for name in ("started", "ringing", "answered", "ended"):
        if isinstance(fields.get(name), (int, float)):
            fields[name] = now - seconds(fields[name])
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "revision": 1,
        "domain": DOMAIN,
        "call_ids": [uuid.uuid4().hex],
        "state": "ended"
        if fields.get("ended")
        else "talking"
        if fields.get("answered")
        else "ringing",
        "caller": address(caller),
        "called": address(called),
        "started": now,
    }
    return Call.objects.create(**{**values, **fields})


def leg(of: Call, position: int, number: str, device: str, result: str, **fields: Any) -> Leg:
    values: dict[str, Any] = {
        "call": of,
        "position": position,
        "target": address(number),
        "contact": f"sip:{number}@10.20.4.{int(number) % 250}:5060",
        "device": device,
        "started": of.started + seconds(0.02),
        "ringing": of.ringing,
        "result": result,
    }
    return Leg.objects.create(**{**values, **fields})


def rules() -> None:
    made = [
        ("Team Sales", "1500", "forward", "simultaneous", ["207", "214", "219"]),
        ("Night bell", "1501", "forward", "sequential", ["219", "236"]),
        ("Moved to Berlin", "19*", "redirect", "simultaneous", ["sip:214@berlin.example"]),
        ("Closed", "1600", "reject", "simultaneous", []),
    ]
    for position, (name, called, action, strategy, targets) in enumerate(made, 1):
        rule = Rule.objects.create(
            domain=domain(), position=position, name=name, called=called, action=action,
            strategy=strategy, reason="Closed today" if action == "reject" else "",
        )  # fmt: skip
        for at, destination in enumerate(targets):
            Target.objects.create(rule=rule, position=at, destination=destination)


def answered_in_team() -> Call:
    """The call whose page is shown in the documents: a group rang, one answered, the caller hung up."""
    made = call(
        "+493055501287@carrier.example", "1500", started=900.0, ringing=899.8, answered=888.7,
        ended=616.0, result="answered", sip_status=200, hangup_by="caller", rule="Team Sales",
        answered_by=address("214"), answered_device="Yealink SIP-T54W 96.86.0.70", revision=4,
        caller_device="Carrier SBC 7.2",
        reason="Rule “Team Sales” rang three extensions. Mira Okafor answered after 11 seconds; "
        "they talked for 4 minutes 32 seconds. The caller hung up.",
        decision=[
            "Rule “Team Sales” matches: 1500 is the called number.",
            "It rings 207, 214 and 219 all at once, for 20 seconds.",
        ],
    )  # fmt: skip
    leg(made, 0, "207", "Yealink SIP-T54W 96.86.0.70", "busy", ringing=None, sip_status=486,
        ended=made.started + seconds(0.15))  # fmt: skip
    leg(made, 1, "214", "Yealink SIP-T54W 96.86.0.70", "answered", sip_status=200,
        answered=made.answered, ended=made.ended)  # fmt: skip
    leg(made, 2, "219", "snomD785/10.1.175.16", "elsewhere", sip_status=487,
        ended=made.started + seconds(11.32))  # fmt: skip
    return made


_REASONS = {
    "answered": "The extension answered; they talked until the caller hung up.",
    "no_answer": "The extension rang, and nobody answered.",
    "busy": "The extension was busy.",
    "cancelled": "The extension rang; the caller gave up.",
    "declined": "The call was declined at the phone.",
    "failed": "The call could not be delivered: the other side did not answer at all.",
    "redirected": "The caller was told to call another address.",
}


def log(count: int = 120) -> None:
    """Earlier calls, the newest 20 minutes ago, the same at every run but for the clock."""
    dice = random.Random(7)
    outside = ["+4940555077180", "+442079460321", "+4315552210", "+4685550114", "+49895556043"]
    results = ["answered"] * 7 + [
        "no_answer",
        "busy",
        "cancelled",
        "declined",
        "failed",
        "redirected",
    ]
    age = 1200.0
    made = []
    for _ in range(count):
        age += dice.uniform(60, 500)
        inside, other = dice.choice(PEOPLE)[0], dice.choice(outside)
        incoming = dice.random() < 0.6
        result = dice.choice(results)
        talked = dice.uniform(20, 900)
        started = timezone.now() - seconds(age)
        answered = started + seconds(dice.uniform(2, 15)) if result == "answered" else None
        caller, called = (f"{other}@carrier.example", address(inside))
        if not incoming:
            caller, called = address(inside), other
        made.append(
            Call(
                id=uuid.UUID(int=dice.getrandbits(128)), revision=3, domain=DOMAIN, state="ended",
                caller=caller, called=called, started=started, ringing=started + seconds(0.2),
                answered=answered,
                ended=(answered or started) + seconds(talked if answered else dice.uniform(3, 30)),
                result=result, sip_status=200 if answered else 486, hangup_by="caller",
                reason=_REASONS[result],
            )
        )  # fmt: skip
    Call.objects.bulk_create(made)


def calls_now() -> list[Call]:
    ringing = call(
        "+493055501287@carrier.example", "1500", started=7, ringing=6.8, rule="Team Sales"
    )
    for position, number in enumerate(("207", "219", "236")):
        leg(ringing, position, number, "", "ringing")
    return [
        ringing,
        call("214", "+442079460321", started=3, ringing=2.5),
        call("+4940555077180@carrier.example", "231", started=275, ringing=274, answered=272,
             answered_by=address("231")),
        call("218", "225", started=735, ringing=734, answered=728, answered_by=address("225")),
        call("221", "+4685550114", started=465, ringing=464, answered=461),
    ]  # fmt: skip


def bans() -> None:
    """Three addresses shut out and three that were."""
    ban(
        "203.0.113.66", age=130, dropped=17_950, count=37,
        reason="37 wrong passwords for 207, 214, 218, 219, 221, 225, 231, 236 and 4 others in 5 minutes",
    )  # fmt: skip
    ban(
        "2001:db8:4f0:12::/64", age=1900, length=3600, level=2, kind="broken", dropped=240, count=60,
        reason="60 messages that no telephone would send in 12 seconds",
    )  # fmt: skip
    ban(
        "198.51.100.23", age=40_000, length=86_400, level=3, kind="scan", dropped=14, count=10,
        reason="10 requests as only scanners send them in 2 seconds",
    )  # fmt: skip
    ban("203.0.113.66", age=9000, dropped=3, reason="20 wrong passwords for 214 in 3 minutes")
    ban(
        "192.0.2.80", age=3600, lifted_at=timezone.now() - seconds(3500), lifted_by="mira",
        reason="20 wrong passwords for 225 in 4 minutes",
    )  # fmt: skip
    ban("198.51.100.23", age=60_000, length=3600, level=2, kind="flood", count=3,
        reason="3 floods of requests that led to nothing in 9 seconds")  # fmt: skip


def whole_office() -> None:
    heartbeat()
    people()
    rules()
    for number, _, device in PEOPLE:
        if number != "236":
            register(number, device, "tcp" if number in ("218", "231") else "udp")
    log()
    answered_in_team()
    calls_now()
    bans()
