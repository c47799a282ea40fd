"""Hearing: which tone a recording holds."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SILENCE = 0.003
"""Root mean square below which nobody would call it a sound (full scale is 1)."""


@dataclass(frozen=True)
class Sound:
    """Samples from -1 to 1, one channel."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def last(self, seconds: float) -> Sound:
        return Sound(self.samples[-int(seconds * self.rate) :], self.rate)

    def loudness(self) -> float:
        return float(np.sqrt(np.mean(self.samples**2))) if len(self.samples) else 0.0

    def frequency(self) -> float | None:
        """The strongest frequency in Hz, or None for silence. Exact to a few Hz from 0.3 s on."""
        if self.loudness() < SILENCE:
            return None
        shaped = self.samples * np.hanning(len(self.samples))
        strength = np.abs(np.fft.rfft(shaped))
        strength[0] = 0.0
        return float(np.argmax(strength)) * self.rate / len(self.samples)

    def holds(self, frequency: float, within: float = 8.0) -> bool:
        heard = self.frequency()
        return heard is not None and abs(heard - frequency) <= within


def read_wav(path: Path) -> Sound:
    """Read 16-bit PCM, also from a file that is still being written (its lengths are not yet true)."""
    data = path.read_bytes()
    form = data.find(b"fmt ") + 8
    start = data.find(b"data") + 8
    if form < 8 or start < 8:
        return Sound(np.zeros(0), 8000)
    channels = int.from_bytes(data[form + 2 : form + 4], "little")
    rate = int.from_bytes(data[form + 4 : form + 8], "little")
    bits = int.from_bytes(data[form + 14 : form + 16], "little")
    if bits != 16:
        raise ValueError(f"{path.name}: {bits} bits a sample, expected 16")
    frame = 2 * channels
    usable = (len(data) - start) // frame * frame
    samples = np.frombuffer(data[start : start + usable], dtype="<i2").astype(np.float64) / 32768
    return Sound(samples.reshape(-1, channels).mean(axis=1), rate)


def write_tone(path: Path, frequency: float, rate: int, seconds: float = 2.0) -> Path:
    """A file of 16-bit PCM, one channel, that sounds that tone."""
    times = np.arange(int(rate * seconds)) / rate
    samples = (np.sin(2 * np.pi * frequency * times) * 12_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path
