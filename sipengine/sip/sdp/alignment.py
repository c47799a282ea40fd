"""Streams of one description in the order of another (RFC 3725 §5, RFC 3264 §8).

Who passes descriptions between two dialogs meets one that has its streams in another order, or
fewer of them; within a dialog neither may change.
"""

from __future__ import annotations

from sipengine.sip.sdp.description import Description, Stream


def align(offer: Description, before: Description | None) -> tuple[Description, list[int]]:
    """`offer` for a dialog in which `before` was last described, and where each stream came from.

    The list has the position in `offer` for each stream of the result, -1 for one that is refused.
    """
    if before is None:
        return offer, list(range(len(offer.streams)))
    left = list(range(len(offer.streams)))
    streams: list[Stream] = []
    origins: list[int] = []
    for old in before.streams:
        at = next((n for n in left if offer.streams[n].kind == old.kind), -1)
        origins.append(at)
        if at < 0:
            streams.append(Stream(old.kind, 0, old.protocol, old.formats.copy(), []))
        else:
            left.remove(at)
            streams.append(offer.streams[at])
    origins += left
    streams += [offer.streams[n] for n in left]
    return Description(offer.lines, streams), origins


def align_answer(answer: Description, origins: list[int], offer: Description) -> Description:
    """The answer to an aligned offer, as the answer to the `offer` that was aligned."""
    streams = []
    for at, asked in enumerate(offer.streams):
        place = origins.index(at) if at in origins else -1
        if 0 <= place < len(answer.streams):
            streams.append(answer.streams[place])
        else:
            streams.append(Stream(asked.kind, 0, asked.protocol, asked.formats.copy(), []))
    return Description(answer.lines, streams)
