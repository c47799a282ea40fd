"""One header line of a raw message that nobody parses."""

from __future__ import annotations


def header_line(data: bytes, name: bytes, compact: bytes) -> bytes | None:
    """The first header line of that name in a raw message, spelt in full; None if there is none."""
    end = data.find(b"\r\n\r\n") + 2
    at = data.find(b"\r\n" + name + b":", 0, end)
    if at >= 0:
        after = data.find(b"\r\n", at + 2)
        if data[after + 2 : after + 3] not in (b" ", b"\t"):
            return data[at + 2 : after]
    wanted = (name.lower(), compact)
    head = data[:end].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in head.split(b"\r\n")[1:]:
        spelling, colon, value = line.partition(b":")
        if colon and spelling.rstrip().lower() in wanted:
            return name + b":" + value
    return None
