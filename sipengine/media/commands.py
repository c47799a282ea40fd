"""Requests of the SIP engine as commands of rtpengine's ng protocol, and its answers as ours. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from sipengine.media.bencode import Value, text
from sipengine.services.ports import (
    ANSWER,
    DELETE,
    OFFER,
    PLAY_KEY,
    TO_WEB,
    MediaAnswer,
    MediaRequest,
)

TRANSCODED: Final = ("PCMU", "PCMA", "G722", "opus")
"""Codecs a gateway may offer besides those of the caller, so that any two phones can talk."""
SPEAKING: Final = 100
"""Packets of 20 ms: who has sent so many means it."""
QUIET_S: Final = 10
"""Without a packet, after which a side that was heard is silent: longer than comfort noise is apart."""
LIVE_S: Final = 2
"""The other side's latest packet is no older, or both are quiet and nobody misses anything."""
SHORTEST_MS: Final = 100
"""Of a key that is played; rtpengine takes no shorter one."""
_ITS_OWN_TROUBLES: Final = (
    "Unknown call-id",
    "no free pair of ports",
    "as many calls as it can",
    "has a defect",
)


def command(request: MediaRequest, keys_to: str = "") -> dict[str, Value]:
    """The dictionary to send; `keys_to` is the host and port that wants to hear of pressed keys."""
    made: dict[str, Value] = {
        "command": request.command,
        "call-id": request.name,
        "from-tag": request.from_tag,
    }
    if request.to_tag:
        made["to-tag"] = request.to_tag
    if request.command == DELETE:
        made["delete-delay"] = 0
    if request.command == PLAY_KEY:
        made |= {"code": request.code, "duration": max(request.duration, SHORTEST_MS)}
    if request.command not in (OFFER, ANSWER):
        return made
    if keys_to:
        made["DTMF-log-dest"] = keys_to
    made["sdp"] = request.sdp
    made["replace"] = ["origin", "session-connection"]
    if request.signalled_from:
        family = "IP6" if ":" in request.signalled_from else "IP4"
        made["received-from"] = [family, request.signalled_from]
    if request.protocol:
        made["transport-protocol"] = request.protocol
    if request.protocol == TO_WEB:
        made |= {"ICE": "force", "SDES": ["off"], "rtcp-mux": ["offer", "require"]}
        if request.command == ANSWER:
            made["DTLS"] = "passive"
    else:
        made |= {"ICE": "remove", "DTLS": "off", "rtcp-mux": ["demux"]}
    if request.command == OFFER:
        # Else rtpengine shakes hands with the offerer as a client before that has an answer.
        made["DTLS-reverse"] = "passive"
        made["codec"] = {"transcode": [*TRANSCODED]}
    return made


def answer(response: Value, instance: int, caller_tag: str = "") -> MediaAnswer:
    """What `instance` said, judged. `caller_tag` tells whose figures are whose."""
    if not isinstance(response, dict):
        why = "the media gateway's answer cannot be read"
        return MediaAnswer(False, instance, why=why, status=503)
    if text(response.get("result")) not in ("ok", "pong"):
        why = text(response.get("error-reason")) or "it gave no reason"
        status = 503 if any(word in why for word in _ITS_OWN_TROUBLES) else 488
        return MediaAnswer(False, instance, why=why, status=status)
    return _looked_at(response, MediaAnswer(True, instance, text(response.get("sdp"))), caller_tag)


def _looked_at(response: dict[str, Value], told: MediaAnswer, caller_tag: str) -> MediaAnswer:
    """`told` with both sides' figures: ours by tag, rtpengine's totals and scores by SSRC."""
    quality = response.get("quality")
    found: dict[str, dict[str, int | str]] = {}
    if isinstance(quality, dict):
        for tag, values in quality.items():
            if isinstance(values, dict):
                found[tag] = {name: _plain(value) for name, value in values.items()}
    else:
        found = _of_rtpengine(response)
    if len(found) != 2:
        return told
    sides = {"caller" if tag == caller_tag else "callee": each for tag, each in found.items()}
    silent = _silent(sides)
    gone = [name for name in ("caller", "callee") if sides.get(name, {}).pop("gone", 0)]
    waits = [name for name in sides if sides[name].pop("waits", 0)]
    faults = [(name, str(sides[name].pop("fault", ""))) for name in sides]
    faulty, fault = next((each for each in faults if each[1]), ("", ""))
    return replace(
        told,
        figures=json.dumps({**sides, "silent": silent}, separators=(",", ":")),
        silent=silent,
        gone="both" if len(gone) > 1 else "".join(gone),
        faulty=faulty,
        fault=fault,
        waits=bool(waits),
    )


def _silent(sides: dict[str, dict[str, int | str]]) -> str:
    """Which side cannot be heard although the other sends.

    | what it says and does                | the other               | it is   |
    | ------------------------------------ | ----------------------- | ------- |
    | holds the call, or only listens      | whatever                | not     |
    | never sent a packet                  | sent for two seconds    | silent  |
    | sent, and nothing came for QUIET_S   | is sending              | silent  |
    | the same                             | is quiet, too           | not     |
    """
    for name, other in (("caller", "callee"), ("callee", "caller")):
        side, peer = sides.get(name, {}), sides.get(other, {})
        if side.get("sends") == 0:
            continue
        if not side.get("packets"):
            if _number(peer, "packets") >= SPEAKING:
                return name
        elif _number(side, "quiet_s") >= QUIET_S and _number(peer, "quiet_s") <= LIVE_S:
            return name
    return ""


def _number(side: dict[str, int | str], name: str) -> int:
    value = side.get(name, 0)
    return value if isinstance(value, int) else 0


def _of_rtpengine(response: dict[str, Value]) -> dict[str, dict[str, int | str]]:
    """Packets by tag, with the mean score, jitter and round trip of the source that the tag sends."""
    found: dict[str, dict[str, int | str]] = {}
    tags = response.get("tags")
    sources = response.get("SSRC")
    if not isinstance(tags, dict):
        return found
    for tag, values in tags.items():
        packets, ssrc = _stream(values)
        side: dict[str, int | str] = {"packets": packets}
        entry = sources.get(str(ssrc)) if isinstance(sources, dict) else None
        mean = entry.get("average MOS") if isinstance(entry, dict) else None
        if isinstance(mean, dict):
            side["mos_100"] = _whole(mean.get("MOS")) * 10
            side["jitter_us"] = _whole(mean.get("jitter")) * 1000
            side["round_trip_us"] = _whole(mean.get("round-trip time"))
            side["loss_percent"] = _whole(mean.get("packet loss"))
        found[tag] = side
    return found


def _stream(values: Value) -> tuple[int, int]:
    """(packets, SSRC) of the first stream of a tag."""
    medias = values.get("medias") if isinstance(values, dict) else None
    media = medias[0] if isinstance(medias, list) and medias else None
    streams = media.get("streams") if isinstance(media, dict) else None
    stream = streams[0] if isinstance(streams, list) and streams else None
    if not isinstance(stream, dict):
        return 0, 0
    stats = stream.get("stats")
    return _whole(stats.get("packets") if isinstance(stats, dict) else 0), _whole(
        stream.get("SSRC")
    )


def _whole(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


def _plain(value: Value) -> int | str:
    return value if isinstance(value, int) else text(value)
