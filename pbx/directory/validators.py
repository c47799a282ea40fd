"""What a domain, a number and a destination look like. Every message says how to mend it.

The same functions guard the admin's forms and the configuration file, so a value that one of them
refuses cannot enter by the other.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from django.core.exceptions import ValidationError

NUMBER_LIMIT: Final = 64
"""Longer than any number plan (E.164 has 15 digits) and than any name that people type."""
DESTINATION_LIMIT: Final = 255
SESSION_TIMER_LIMIT: Final = 86_400
"""Seconds: a dead call is known after a day at the latest."""
TRUSTED_LIMIT: Final = 100
_DOMAIN_LIMIT: Final = 253  # RFC 1035 §2.3.4, without the final dot
_LABEL_LIMIT: Final = 63

_NUMBER: Final = re.compile(r"[A-Za-z0-9*#+\-._]+")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?")
# RFC 3261 §25.1, without what would be dangerous or useless as the address of a call: a password
# (it would be readable in call logs) and headers.
_URI: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*):"
    r"(?:(?P<user>[^@]*)@)?"
    r"(?P<host>\[[^\]]*\]|[^:;?@\[\]]*)"
    r"(?::(?P<port>[^;?]*))?"
    r"(?P<params>(?:;[^;?]*)*)"
    r"(?P<headers>\?.*)?"
)
_URI_USER: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})+")
_URI_PARAM: Final = re.compile(
    r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+"
    r"(?:=(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+)?"
)
# Controls, the line separators that some parsers take for line ends, and halves of characters.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MAC: Final = re.compile(r"([0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}")
_GROUP: Final = re.compile(r"\{(\d{1,2})\}")


def validate_one_line(text: str) -> None:
    """Refuse line breaks and other control characters: the text travels in SIP headers."""
    if _UNPRINTABLE.search(text):
        raise ValidationError(
            "Line breaks and other control characters are not allowed. Write it on one line.",
            code="control_character",
        )


def validate_paragraphs(text: str) -> None:
    """As `validate_one_line`, but line breaks and tabs are welcome."""
    validate_one_line(text.translate({9: " ", 10: " ", 13: " "}))


def validate_session_timer(seconds: int) -> None:
    """0 or what RFC 4028 §4 allows, up to a day."""
    if seconds and not 90 <= seconds <= SESSION_TIMER_LIMIT:
        raise ValidationError(
            f"{seconds} s is no session timer. Give 90 to {SESSION_TIMER_LIMIT} seconds, or 0 for none."
        )


def validate_trusted(text: str) -> None:
    """IP addresses, at most `TRUSTED_LIMIT`, with white space between."""
    words = text.split()
    if len(words) > TRUSTED_LIMIT:
        raise ValidationError(f"At most {TRUSTED_LIMIT} addresses can be given.")
    for word in words:
        validate_address(word)


def validate_address(text: str) -> None:
    """One IP address, which a message's source can be compared with."""
    try:
        if str(ipaddress.ip_address(text)) == text:
            return
    except ValueError:
        pass
    raise ValidationError(f"“{text}” is no IP address in its usual spelling, such as 192.0.2.9.")


def validate_mac(mac: str) -> None:
    if mac and not _MAC.fullmatch(mac):
        raise ValidationError(
            "“%(mac)s” is not a MAC address. Give twelve hexadecimal digits, such as "
            "00:1a:2b:3c:4d:5e.",
            code="invalid",
            params={"mac": mac},
        )


def validate_domain(name: str) -> None:
    """Take a host name, an IPv4 address, or an IPv6 address in brackets (RFC 3261 §25.1 host)."""
    if not name:
        raise ValidationError("Give a domain name, such as pbx.example.", code="empty")
    if len(name) > _DOMAIN_LIMIT:
        raise ValidationError(
            f"A domain name has at most {_DOMAIN_LIMIT} characters; this one has {len(name)}.",
            code="too_long",
        )
    if ":" in name or "[" in name:
        _validate_ipv6_reference(name)
        return
    if re.fullmatch(r"[0-9.]+", name):
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            raise ValidationError(
                "“%(name)s” is not an IPv4 address. Give four numbers from 0 to 255, "
                "such as 192.0.2.10, or a name such as pbx.example.",
                code="invalid",
                params={"name": name},
            ) from None
        return
    for label in name.split("."):
        if not _LABEL.fullmatch(label) or len(label) > _LABEL_LIMIT:
            raise ValidationError(
                "“%(name)s” is not a domain name. Use letters, digits and hyphens in parts joined "
                "by single dots, such as pbx.example; a part has 1 to 63 characters and neither "
                "begins nor ends with a hyphen.",
                code="invalid",
                params={"name": name},
            )


def _validate_ipv6_reference(name: str) -> None:
    try:
        if not (name.startswith("[") and name.endswith("]")):
            raise ValueError("no brackets")
        ipaddress.IPv6Address(name[1:-1])
    except ValueError:
        raise ValidationError(
            "“%(name)s” is not a domain. Leave out any port; an IPv6 address stands in brackets, "
            "such as [2001:db8::10].",
            code="invalid",
            params={"name": name},
        ) from None


def validate_number(number: str) -> None:
    """Take digits, letters and `*#+-._`: what every phone can dial and every SIP URI can carry."""
    if not number:
        raise ValidationError("Give a number, such as 1001.", code="empty")
    if len(number) > NUMBER_LIMIT:
        raise ValidationError(
            f"A number has at most {NUMBER_LIMIT} characters; this one has {len(number)}.",
            code="too_long",
        )
    if not _NUMBER.fullmatch(number):
        raise ValidationError(
            "“%(number)s” is not a number. Use digits, letters and * # + - . _ without spaces, "
            "such as 1001.",
            code="invalid",
            params={"number": number},
        )


def validate_destination(destination: str) -> None:
    """Take a number, an AOR `user@host` or a sip: or sips: URI; no `{1}`."""
    if "{" in destination or "}" in destination:
        raise ValidationError(
            "{1} and the like work only in the targets of a rule whose pattern is a regular "
            "expression with groups. Give a number, an address or a SIP URI.",
            code="group",
        )
    _validate_address(destination)


def validate_target(destination: str) -> None:
    """As `validate_destination`, and `{1}`, `{2}`, .. may stand for the groups of a rule's regex."""
    filled = _GROUP.sub("1", destination)
    if "{" in filled or "}" in filled:
        raise ValidationError(
            "“%(destination)s” has a brace that is no group. Write {1} for the first group of the "
            "rule's regular expression, {2} for the second.",
            code="group",
            params={"destination": destination},
        )
    _validate_address(filled, shown=destination)


def groups_in(destination: str) -> set[int]:
    """Return the numbers of the groups that a rule's target uses."""
    return {int(number) for number in _GROUP.findall(destination)}


def _validate_address(destination: str, shown: str | None = None) -> None:
    shown = destination if shown is None else shown
    if len(shown) > DESTINATION_LIMIT:
        raise ValidationError(
            f"A destination has at most {DESTINATION_LIMIT} characters; this one has {len(shown)}.",
            code="too_long",
        )
    try:
        if ":" in destination and not re.fullmatch(r"[^:]*@\[[^\]]*\]", destination):
            _validate_uri(destination)
        elif "@" in destination:
            user, _, host = destination.rpartition("@")
            validate_number(user)
            validate_domain(host)
        else:
            validate_number(destination)
    except ValidationError as error:
        raise ValidationError(
            "“%(shown)s” is not a place to send a call. Give a number (1001), an address "
            "(1001@pbx.example) or a SIP URI (sip:gate@192.0.2.9:5070). %(detail)s",
            code="invalid",
            params={"shown": shown, "detail": " ".join(error.messages)},
        ) from None


def _validate_uri(text: str) -> None:
    match = _URI.fullmatch(text)
    if match is None or match["scheme"].lower() not in ("sip", "sips"):
        raise ValidationError("A URI begins with sip: or sips:.")
    user, port = match["user"], match["port"]
    if user is not None:
        if ":" in user:
            raise ValidationError(
                "Leave out the password after the user name: it would show in the call log."
            )
        if not _URI_USER.fullmatch(user):
            raise ValidationError(
                "The part before the @ is empty or has characters that a SIP URI cannot carry; "
                "write those as % and two hexadecimal digits."
            )
    validate_domain(match["host"])
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ValidationError("The port after the colon is a number from 1 to 65535.")
    for param in match["params"].split(";")[1:]:
        if not _URI_PARAM.fullmatch(param):
            raise ValidationError(
                "After each semicolon stands a parameter such as transport=tcp, without spaces."
            )
    if match["headers"] is not None:
        raise ValidationError("Leave out the question mark and what follows it.")
