"""One side's description with our own end in the place of its medium (RFC 3264 §5, §6).

Pure: text in, text out. What names the sender's network goes, what names its session stays.
"""

from __future__ import annotations

from sipengine.gateway.sdp.description import Description, Media
from sipengine.gateway.sdp.sides import Local


def describe(base: Description, index: int, local: Local, offered: Description | None) -> str:
    """`base` with medium `index` replaced by `local` and every other medium refused (port 0).

    `offered` is given for an answer: the offer that it answers, by its own peer. Its media tell
    the protocol and formats that refused ones must repeat (RFC 3264 §6).
    """
    lines = []
    for line in base.session:
        if line.startswith("o="):
            lines.append(_origin(line, local.host))
        elif line.startswith(("v=", "s=", "t=", "i=", "u=", "r=", "z=")):
            lines.append(line)
    lines = _in_order(lines)
    if local.fingerprint:
        lines += ["a=ice-lite"]
        if local.mid:
            lines.append(f"a=group:BUNDLE {local.mid}")
    for position in range(len(offered.media) if offered else len(base.media)):
        source = offered.media[position] if offered else base.media[position]
        if position == index:
            numbers = [str(item.number) for item in local.formats]
            ours = Media("audio", local.port, local.protocol, numbers or source.formats)
            lines += [ours.first_line(), *local.lines()]
        else:
            refused = Media(source.kind, 0, source.protocol, source.formats[:1])
            lines.append(refused.first_line())
            lines += [f"a=mid:{value}" for value in source.attributes("mid")[:1] if offered]
    return "\r\n".join(lines) + "\r\n"


def _origin(line: str, host: str) -> str:
    words = line.split()
    words[4], words[5] = ("IP6" if ":" in host else "IP4"), host
    return " ".join(words)


def _in_order(lines: list[str]) -> list[str]:
    """The lines RFC 8866 §5 wants, in its order, with those that are missing."""
    kinds = "vosiutrz"
    if not any(line.startswith("s=") for line in lines):
        lines.append("s=-")
    if not any(line.startswith("t=") for line in lines):
        lines.append("t=0 0")
    return sorted(lines, key=lambda line: kinds.index(line[0]))
