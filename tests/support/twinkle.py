"""A softphone of a third maker: twinkle-console, driven by its prompt and watched by its log.

It has no TLS, and its sound card is ALSA's empty one: only its signalling is looked at. Interop: it
takes the challenge that stands last and knows no SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support import child
from tests.support.free_ports import free_block
from tests.support.programs import program
from tests.support.prompt_phone import PromptPhone
from tests.support.wait import until

SOUND = """\
pcm.!default { type null }
ctl.!default { type null }
"""

SYSTEM = """\
validate_audio_dev=no
play_ringtone=no
play_ringback=no
log_show_sip=yes
sip_port={port}
rtp_port={rtp}
"""

PROFILE = """\
user_name={number}
user_domain={domain}
auth_name={number}
auth_realm={domain}
auth_pass={password}
outbound_proxy={server}
registrar={server}
all_requests_to_proxy=yes
registration_time=300
register_at_startup=yes
sip_transport={transport}
codecs=g711u,g711a
{keys}"""


@dataclass
class Twinkle(PromptPhone):
    """One account that registers as soon as the program runs. With `info` it tells keys by SIP INFO."""

    number: str
    directory: Path
    server: str
    domain: str
    password: str
    transport: str = "udp"
    info: bool = False
    port: int = field(default_factory=lambda: free_block(2))

    def __enter__(self) -> Self:
        self.home = self.directory / f"twinkle-{self.number}-{self.port}"
        files = self.home / ".twinkle"
        files.mkdir(parents=True)
        self.log = files / "twinkle.log"
        self.log.touch()
        (files / "twinkle.sys").write_text(SYSTEM.format(port=self.port, rtp=free_block(8)))
        (self.home / ".asoundrc").write_text(SOUND)
        (files / "phone.cfg").write_text(
            PROFILE.format(
                **{
                    name: getattr(self, name)
                    for name in ("number", "domain", "password", "server", "transport")
                },
                keys="dtmf_transport=info\n" if self.info else "",
            )
        )
        self.start(program("twinkle-console", "twinkle-console"), "phone.cfg")
        return self

    def shows(self, text: str, *, deadline: float = 10.0) -> None:
        """Wait until the prompt has shown that text."""
        until(
            lambda: text in (self.home / "prompt").read_text(errors="replace"),
            f"twinkle to show {text!r}",
            deadline=deadline,
            explain=lambda: child.tail(self.home / "prompt", 40) + child.tail(self.log, 80),
        )
