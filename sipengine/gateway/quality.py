"""What a call sounded like, from what was counted: figures, and a mean opinion score (ITU-T G.107).

The E-model in the form of G.107 Annex B with its defaults: R = 93.2 - Id - Ie,eff, where Id grows
with the delay and Ie,eff with lost packets, by how well a codec conceals them (G.113 Appendix I).
"""

from __future__ import annotations

from typing import Final

from sipengine.gateway.leg import Leg

_LOSS: Final = {"PCMU": (0.0, 25.1), "PCMA": (0.0, 25.1), "G722": (0.0, 20.0), "OPUS": (0.0, 15.0)}
"""Codec -> (Ie, Bpl): what it costs by itself, and how many percent of loss it bears."""
_OTHER: Final = (10.0, 10.0)
_SENDING: Final = ("sendrecv", "sendonly")
_RECEIVING: Final = ("sendrecv", "recvonly")
_FRAMES_S: Final = 0.04  # packing and playing out 20 ms packets


def score(round_trip_s: float, jitter_ms: float, loss_percent: float, codec: str) -> float:
    """MOS, 1.0 (nothing can be understood) to 4.4 (as over a wire)."""
    # A jitter buffer holds about twice the jitter.
    delay_ms = round_trip_s * 500 + _FRAMES_S * 1000 + 2 * jitter_ms
    impairment = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    fixed, bearing = _LOSS.get(codec, _OTHER)
    impairment += fixed + (95 - fixed) * loss_percent / (loss_percent + bearing)
    rating = 93.2 - impairment
    if rating <= 0:
        return 1.0
    rating = min(rating, 100.0)
    return round(max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6), 2)


def _goes(leg: Leg, directions: tuple[str, ...]) -> bool:
    return leg.remote is not None and leg.remote.direction in directions


def figures(leg: Leg, other: Leg | None, now: float) -> dict[str, int]:
    """Of what this leg's peer sent and got; all whole numbers, as ng's bencode wants them. `other` is the
    leg of the side that it speaks to.

    `mos_100` is 100 × MOS of what the peer sends, as it arrived here, 0 where nothing came. `sends`
    is 1 if both descriptions want it to (RFC 3264 §6.1), 0 of one that holds the call, only listens or is
    held. `quiet_s` are the seconds since its latest packet, 0 before the first.
    """
    incoming, feedback = leg.incoming, leg.feedback
    expected = incoming.packets + incoming.lost
    loss = 100 * incoming.lost / expected if expected else 0.0
    mos = 0.0
    if incoming.packets:
        mos = score(feedback.round_trip, incoming.jitter_ms, loss, leg.codec)
    return {
        "packets": incoming.packets,
        "octets": incoming.octets,
        "lost": incoming.lost,
        "jitter_us": round(incoming.jitter_ms * 1000),
        "sources": incoming.sources,
        "sent": leg.outgoing.packets,
        "reported_lost": feedback.lost,
        "reported_loss_256": feedback.loss_256,
        "round_trip_us": round(feedback.round_trip * 1_000_000),
        "mos_100": round(mos * 100),
        "sends": int(_goes(leg, _SENDING) and (other is None or _goes(other, _RECEIVING))),
        "quiet_s": int(now - incoming.last_at) if incoming.packets else 0,
        "strangers": leg.strangers,
        "undecipherable": leg.undecipherable,
        "unsent": leg.unsent,
        "unwanted": 0 if leg.path is None else leg.path.unwanted,
        "undecodable": 0 if leg.path is None else leg.path.undecodable,
    }
