"""The targets of rules and forwards as people write them: a number, number@domain, or a URI."""

from __future__ import annotations


def fill(target: str, groups: tuple[str, ...]) -> str:
    """A target with the groups of the pattern that matched in the places of {1}, {2}, ..."""
    for at, group in enumerate(groups, 1):
        target = target.replace(f"{{{at}}}", group)
    return target


def split_target(target: str, domain: str) -> tuple[str, str]:
    """(number, "") for a target at this domain, ("", URI) for one outside."""
    if target.startswith(("sip:", "sips:")):
        number, at, host = target.partition(":")[2].partition("@")
        if at and host == domain:
            return number, ""
        return "", target
    number, at, host = target.partition("@")
    if at and host != domain:
        return "", f"sip:{target}"
    return number, ""


def as_uri(target: str, domain: str) -> str:
    """What a redirected caller is told to call."""
    if target.startswith(("sip:", "sips:", "tel:")):
        return target
    return f"sip:{target}" if "@" in target else f"sip:{target}@{domain}"
