"""A softphone of another maker: linphonec, driven by its prompt and watched by its log.

Interop: it chooses SHA-256 where a server offers MD5 too. It needs a HOME with
`.local/share/linphone`; what it prints is no state to rely on, its log is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from tests.support import child
from tests.support.free_ports import free_block
from tests.support.programs import program
from tests.support.prompt_phone import PromptPhone
from tests.support.tone import Sound, write_tone
from tests.support.wait import until

WAV_HEAD = 44
"""Bytes."""

CONFIG = """\
[sip]
{keys}sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
verify_server_certs=0
verify_server_cn=0
default_proxy=0
guess_hostname=1
media_encryption=none
[rtp]
audio_rtp_port={rtp}
[net]
firewall_policy=none
[auth_info_0]
username={number}
passwd={password}
realm={domain}
domain={domain}
[proxy_0]
reg_proxy=<sip:{server};transport={transport}>
reg_route=<sip:{server};transport={transport};lr>
reg_identity=sip:{number}@{domain}
reg_expires=300
reg_sendregister=1
publish=0
"""


@dataclass
class Linphone(PromptPhone):
    """One account that registers as soon as the program runs. With `info` it tells keys by SIP INFO."""

    number: str
    directory: Path
    server: str
    domain: str
    password: str
    transport: str = "udp"
    info: bool = False
    port: int = field(default_factory=lambda: free_block(2))
    recordings: list[Path] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.home = self.directory / f"linphone-{self.number}-{self.port}"
        (self.home / ".local/share/linphone").mkdir(parents=True)
        self.log = self.home / "linphone.log"
        self.log.touch()
        ports = {
            name: self.port if name == self.transport else -1 for name in ("udp", "tcp", "tls")
        }
        (self.home / "rc").write_text(
            CONFIG.format(
                **{name: getattr(self, name) for name in ("number", "password", "domain")},
                server=self.server,
                transport=self.transport,
                **ports,
                rtp=free_block(4),
                keys="use_info=1\nuse_rfc2833=0\n" if self.info else "",
            )
        )
        words = ["-c", str(self.home / "rc"), "-d", "6", "-l", str(self.log)]
        self.start(program("linphonec", "linphone-cli"), *words)
        self.say("soundcard use files")
        return self

    def answer(self, tone: float) -> None:
        """Take the call that comes, saying that tone for some minutes, and record it from now on."""
        self.logged("LinphoneCallIncomingReceived")
        self.say("answer")
        self.logged("LinphoneCallStreamsRunning")
        self.speak(tone)

    def speak(self, tone: float) -> None:
        """Say that tone in the current call for a minute, and record what comes from now on."""
        said = self.home / f"said-{tone:g}.wav"
        if not said.exists():  # its next call plays it from the start, while this is read
            write_tone(said, tone, 16_000, seconds=60)
        self.recordings.append(self.home / f"heard-{len(self.recordings)}.wav")
        self.say(f"play {said}")
        self.say(f"record {self.recordings[-1]}")

    def hears(self, frequency: float, *, deadline: float = 10.0, last: float = 0.5) -> None:
        """Wait until the last half second of the latest recording is that tone."""
        file = self.recordings[-1]

        def heard() -> Sound:
            """Its head is written when it ends; with Opus the rest is 48 kHz, one channel."""
            whole = file.read_bytes()[WAV_HEAD:]
            samples = np.frombuffer(whole[: len(whole) // 2 * 2], dtype="<i2")
            return Sound(samples / 32768, 48_000)

        until(
            lambda: (
                file.exists() and heard().seconds > last and heard().last(last).holds(frequency)
            ),
            f"linphone to hear {frequency} Hz",
            deadline=deadline,
            pause=0.1,
            explain=lambda: child.tail(self.log, 80),
        )

    def shows(self, text: str, *, deadline: float = 10.0) -> None:
        """Wait until the prompt has shown that text."""
        prompt = self.home / "prompt"
        until(
            lambda: text in prompt.read_text(errors="replace"),
            f"linphone to show {text!r}",
            deadline=deadline,
            explain=lambda: child.tail(prompt, 20) + child.tail(self.log, 80),
        )

    def logged(self, text: str, *, deadline: float = 10.0) -> None:
        """Wait until the log holds that text."""
        until(
            lambda: text in self.trace(),
            f"linphone's log to hold {text!r}",
            deadline=deadline,
            explain=lambda: child.tail(self.log, 80),
        )

    def trace(self) -> str:
        return self.log.read_text(errors="replace")
