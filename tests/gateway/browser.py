"""A WebRTC endpoint that stands for a browser: aiortc's, with full ICE, DTLS and Opus or G.711.

It plays a tone and keeps what it hears.
"""

from __future__ import annotations

import asyncio
import fractions

import numpy as np
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCapabilities,
    RTCRtpCodecCapability,
    RTCSessionDescription,
)
from aiortc.rtcrtpsender import RTCRtpSender
from av import AudioFrame

from tests.support.tone import Sound

RATE = 48_000


class Tone(AudioStreamTrack):
    """A sine of 20 ms frames, in real time."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self._frequency = frequency
        self._at = 0
        self._begun = 0.0

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self._begun = self._begun or loop.time()
        await asyncio.sleep(max(0.0, self._begun + self._at / RATE - loop.time()))
        times = (np.arange(960) + self._at) / RATE
        samples = (np.sin(2 * np.pi * self._frequency * times) * 12000).astype("<i2")
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, fractions.Fraction(1, RATE)
        self._at += 960
        return frame


class Browser:
    def __init__(self, frequency: float = 1000, codecs: tuple[str, ...] = ()) -> None:
        """`codecs` are MIME subtypes in the order to offer; all of aiortc's by default."""
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._track = Tone(frequency)
        self._codecs = codecs
        self.heard: list[np.ndarray] = []
        self._hearing: asyncio.Task[None] | None = None
        self.peer.on("track", self._on_track)

    def _prefer(self) -> None:
        if not self._codecs:
            return
        capabilities: RTCRtpCapabilities = RTCRtpSender.getCapabilities("audio")
        known = capabilities.codecs
        chosen: list[RTCRtpCodecCapability] = [
            codec
            for name in self._codecs
            for codec in known
            if codec.mimeType.lower() == f"audio/{name.lower()}"
        ]
        for transceiver in self.peer.getTransceivers():
            transceiver.setCodecPreferences(chosen)

    def _on_track(self, track: AudioStreamTrack) -> None:
        self._hearing = asyncio.create_task(self._hear(track))

    async def _hear(self, track: AudioStreamTrack) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, AudioFrame)
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
            self.heard.append(samples.astype(np.float64) / 32768)
            self._rate = frame.sample_rate

    async def offer(self) -> str:
        self.peer.addTrack(self._track)
        self._prefer()
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def accept(self, sdp: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def answer(self, sdp: str) -> str:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self.peer.addTrack(self._track)
        self._prefer()
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return self.peer.localDescription.sdp

    @property
    def seconds(self) -> float:
        return sum(len(each) for each in self.heard) / getattr(self, "_rate", RATE)

    def sound(self) -> Sound:
        return Sound(np.concatenate(self.heard) if self.heard else np.zeros(0), self._rate)

    async def close(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
            await asyncio.wait([self._hearing])
        self._track.stop()
        await self.peer.close()
