#!/usr/bin/env python3
"""A flame graph as one still picture: who called whom, and who spent the time.

    py-spy record --native -r 500 -d 20 -f raw -o stacks.txt --pid ENGINE
    .venv/bin/python bench/flame.py stacks.txt picture.svg [--root BaseEventLoop._run_once]

Reads stacks as py-spy and Brendan Gregg's tools write them (`frame;frame;frame count`, outermost
first) and draws them with the outermost frame on top. Frames above the first that contains `--root` are left out,
and so are stacks without it. Frames of one function are one, whatever line they stand in. What is
narrower than a tenth of a hundredth is not drawn. Colours tell the layers: see COLOURS.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 1200
ROW: Final = 17
LEAST: Final = 0.001
"""Of the whole: narrower frames are left out, and what they called with them."""

LETTER: Final = 6.1
"""Pixels that a letter takes."""

COLOURS: Final = {
    "sipengine/sip": "#e8a33d",
    "sipengine/services": "#6aa5d8",
    "sipengine/net": "#7fbf7b",
    "sipengine": "#a5c8a0",
    "": "#c9c9c9",
}
"""By where a function lives: messages and transactions, services, sockets, the rest of the engine,
interpreter and libraries."""

_LINE: Final = re.compile(r":\d+\)$")
_NATIVE: Final = re.compile(r"CPyDef_(?P<name>sipengine___\w+) \(")
_UNNAMED: Final = re.compile(r"0x[0-9a-f]+ \((?P<library>[^.)]+)")


@dataclass
class Frame:
    """One function as called by its parent: samples in it and below it."""

    count: int = 0
    called: dict[str, Frame] = field(default_factory=dict)


def read(path: Path, root: str) -> Frame:
    """The tree of all stacks that hold `root`, from there on."""
    tree = Frame()
    for line in path.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        names = [word for name in stack.split(";") if (word := plain(name))]
        start = next((at for at, name in enumerate(names) if root in name), None)
        if start is None:
            continue
        here = tree
        here.count += int(number)
        for name in names[start:]:
            here = here.called.setdefault(name, Frame())
            here.count += int(number)
    return tree


def plain(name: str) -> str:
    """A frame's name without its line; of mypyc's C functions the Python name they were made of;
    of functions without a name their library. "" for mypyc's wrappers."""
    if name.startswith("CPyPy_"):
        return ""
    if native := _NATIVE.match(name):
        words = native["name"].split("___")
        owner = 2 if words[-2][:1].isupper() else 1
        return f"{'.'.join(words[-owner:])} ({'/'.join(words[:-owner])})"
    if unnamed := _UNNAMED.match(name):
        return f"in {unnamed['library']} ()"
    return _LINE.sub(")", name)


def boxes(tree: Frame, left: float, depth: int, whole: int) -> Iterator[str]:
    """SVG of what `tree` called, from `left` pixels on."""
    for name, frame in sorted(tree.called.items()):
        share = frame.count / whole
        width = share * WIDTH
        if share >= LEAST:
            colour = next(colour for place, colour in COLOURS.items() if place in name)
            top = depth * ROW
            yield (
                f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{left:.1f}" y="{top}" '
                f'width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" fill="{colour}"/>'
            )
            words = name.partition(" (")[0]
            room = int(width / LETTER) - 1
            if room >= 4:
                words = words if len(words) <= room else words[: room - 1] + "…"
                yield f'<text x="{left + 3:.1f}" y="{top + 12}">{escape(words)}</text>'
            yield "</g>"
            yield from boxes(frame, left, depth + 1, whole)
        left += width


def depth_of(tree: Frame, whole: int) -> int:
    drawn = [frame for frame in tree.called.values() if frame.count / whole >= LEAST]
    return 1 + max((depth_of(frame, whole) for frame in drawn), default=0) if drawn else 0


def picture(tree: Frame) -> str:
    height = depth_of(tree, tree.count) * ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="monospace" font-size="10">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        + "\n".join(boxes(tree, 0.0, 0, tree.count))
        + "</svg>\n"
    )


def main() -> None:
    reading = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    reading.add_argument("stacks", type=Path)
    reading.add_argument("picture", type=Path)
    reading.add_argument("--root", default="")
    words = reading.parse_args()
    tree = read(words.stacks, words.root)
    if not tree.count:
        raise SystemExit(f"No stack in {words.stacks} holds {words.root or 'anything'}.")
    words.picture.write_text(picture(tree))


if __name__ == "__main__":
    main()
