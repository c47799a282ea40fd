"""A real desk phone: baresip, driven over its control port, playing a tone and recording.

Interop: baresip 1.0 skips the loopback interface unless told; its control port must not be the
SIP port + 1 (its TLS port); hanging up a ringing call sends 486.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import child
from tests.support.free_ports import free_block, free_port
from tests.support.namespaces import inside
from tests.support.programs import program
from tests.support.tone import Sound, read_wav
from tests.support.wait import until

Event = dict[str, Any]

CONFIG = """\
poll_method epoll
sip_listen {host}:{sip_port}
net_interface {host}
call_local_timeout 120
call_max_calls {max_calls}
audio_path /nonexistent
audio_source ausine,{tone}
audio_player aubridge,{name}
audio_alert aubridge,{name}-alert
ausrc_srate 48000
ausrc_channels 2
audio_level no
rtp_ports {rtp_first}-{rtp_last}
{tls}module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aubridge.so
module sndfile.so
module_app uuid.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {recordings}
menu_bell no
redial_attempts 0
"""

RTP_PORTS = 12
"""Two a call, and a few to spare for calls that begin while others end."""


@dataclass
class Baresip:
    """One phone with one account.

    `server` is host:port of the SIP server, "" for a phone that calls peers directly. With
    `by_route` the account names the domain and reaches the server as outbound proxy (a Route
    header); otherwise the server's address is the account's domain. `tone` is in Hz. `contacts` are
    lines of its address book, `mwi` has it subscribe to its mailbox. `authority` is the PEM file whose
    certificates it takes from a server over TLS.
    `codecs` are what it speaks, in its own words (`G722/16000/1`); G.711 by default.
    `flows` are the transports of as many connections to the server (RFC 5626), not one by `transport`.
    `namespace` is the network that the phone runs in, where it has the address `host`.
    """

    number: str
    directory: Path
    server: str = ""
    domain: str = ""
    password: str = ""
    transport: str = "udp"
    tone: int = 440
    answer: str = "manual"
    by_route: bool = True
    expires: int = 300
    max_calls: int = 4
    flows: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ("pcmu", "pcma")
    name: str = ""
    contacts: list[str] = field(default_factory=list)
    mwi: bool = False
    host: str = "127.0.0.1"
    namespace: str = ""
    authority: Path | None = None
    sip_port: int = field(default_factory=lambda: free_block(2))
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.name or f"phone-{self.number}"
        # Short: baresip cuts the path of a recording at 128 characters, and then writes none.
        self.home = self.directory / str(self.sip_port)
        self.recordings = self.home / "heard"
        self.log = self.home / "baresip.log"
        self._control: socket.socket | None = None
        self._unread = b""
        self._seen = 0

    def __enter__(self) -> Baresip:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Baresip:
        """Start the program and give it its account; with a server it begins to register."""
        self.recordings.mkdir(parents=True)
        control_port = free_port()
        rtp = free_block(RTP_PORTS)
        config = CONFIG.format(
            host=self.host,
            sip_port=self.sip_port,
            control_port=control_port,
            tone=self.tone,
            name=self.name,
            max_calls=self.max_calls,
            rtp_first=rtp,
            rtp_last=rtp + RTP_PORTS - 1,
            recordings=self.recordings,
            tls="" if self.authority is None else f"sip_cafile {self.authority}\n",
        )
        if self.contacts:
            config += "module_app contact.so\nmodule_app presence.so\n"
            (self.home / "contacts").write_text("\n".join(self.contacts) + "\n")
        if self.mwi:
            config += "module_app mwi.so\n"
        config += "".join(
            f"module {name}.so\n" for name in ("g722", "opus") if name in str(self.codecs).lower()
        )
        (self.home / "config").write_text(config)
        (self.home / "accounts").write_text("# given by uanew, so that no event is missed\n")
        command = [program("baresip", "baresip-core"), "-4", "-s", "-f", str(self.home)]
        with inside(self.namespace):
            self._process = child.start(command, self.log)
        child.put_first(self._process)
        self._control = until(
            lambda: self._connect(control_port),
            f"{self.name} to open its control port",
            deadline=10,
            explain=lambda: child.tail(self.log),
        )
        self.command("uanew", self._account())
        return self

    def stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if hasattr(self, "_process"):
            child.stop(self._process, grace=3)

    # ------------------------------------------------------------------ what a person does

    def dial(self, target: str) -> None:
        """Call a number of the own domain, or any SIP URI."""
        uri = target if target.startswith("sip:") else f"sip:{target}@{self._host()}"
        self.command("dial", uri)

    def accept(self) -> None:
        self.command("accept")

    def hang_up(self) -> None:
        """End the current call; on a ringing call this answers 486 (callee) or cancels (caller)."""
        self.command("hangup")

    def command(self, name: str, parameters: str = "") -> str:
        """Give one command of the menu and return its answer."""
        assert self._control is not None, f"{self.name} is not started"
        request = json.dumps({"command": name, "params": parameters, "token": name})
        self._control.sendall(b"%d:%s," % (len(request), request.encode()))
        answer = self._await(
            lambda message: message.get("response"), f"the answer to {name}", 5.0, keep=False
        )
        assert answer["ok"], f"{self.name} refused {name} {parameters}: {answer}"
        return str(answer.get("data", ""))

    # ------------------------------------------------------------------ what is seen and heard

    def wait_for(self, kind: str, deadline: float = 10.0) -> Event:
        """Wait for the next event of that type (REGISTER_OK, CALL_INCOMING, CALL_CLOSED, ..)."""
        return self._await(lambda event: event.get("type") == kind, kind, deadline, keep=True)

    def saw(self, kind: str) -> bool:
        """Whether an event of that type came at any time until now."""
        self._read(0.0)
        return any(event.get("type") == kind for event in self.events)

    def trace(self) -> str:
        """Everything the phone printed, its SIP messages included."""
        return self.log.read_text(errors="replace")

    def heard(self) -> Sound:
        """What the phone received in its latest call."""
        files = sorted(self.recordings.glob("*-dec.wav"), key=lambda file: file.stat().st_mtime)
        assert files, f"{self.name} recorded nothing"
        return read_wav(files[-1])

    def hears(self, frequency: float, *, deadline: float = 5.0, last: float = 0.5) -> None:
        """Wait until the last half second that this phone received is that tone."""
        until(
            lambda: (
                any(self.recordings.glob("*-dec.wav"))
                and self.heard().seconds > last
                and self.heard().last(last).holds(frequency)
            ),
            f"{self.name} to hear {frequency} Hz",
            deadline=deadline,
            pause=0.1,
            explain=lambda: child.tail(self.log),
        )

    def hears_anew(self, frequency: float, *, deadline: float = 10.0, last: float = 0.5) -> None:
        """As `hears`, of what comes from now on."""
        before = self.heard().seconds
        until(
            lambda: (
                self.heard().seconds > before + last and self.heard().last(last).holds(frequency)
            ),
            f"{self.name} to hear {frequency} Hz from now on",
            deadline=deadline,
            pause=0.1,
            explain=lambda: child.tail(self.log),
        )

    # ------------------------------------------------------------------ inside

    def _host(self) -> str:
        return self.domain if self.by_route and self.domain else self.server

    def _account(self) -> str:
        host = self._host() or f"127.0.0.1:{self.sip_port}"
        words = [
            f"<sip:{self.number}@{host};transport={self.transport}>",
            f"answermode={self.answer}",
            f"audio_codecs={','.join(self.codecs)}",
            f"mwi={'yes' if self.mwi else 'no'}",
            f"auth_user={self.number}",
        ]
        if self.server:
            words += [f"auth_pass={self.password}", f"regint={self.expires}"]
            for number, transport in enumerate(self.flows, 1):
                words.append(f'outbound{number}="sip:{self.server};transport={transport}"')
            if self.flows:
                words.append("sipnat=outbound")
            elif self.by_route:
                words.append(f'outbound="sip:{self.server};transport={self.transport}"')
        else:
            words.append("regint=0")
        return ";".join(words)

    def _connect(self, port: int) -> socket.socket | None:
        assert self._process.poll() is None, f"{self.name} ended\n{child.tail(self.log)}"
        try:
            with inside(self.namespace):
                return socket.create_connection(("127.0.0.1", port), timeout=5)
        except ConnectionRefusedError:
            return None

    def _await(self, wanted: Any, what: str, deadline: float, *, keep: bool) -> Event:
        end = time.monotonic() + deadline
        while True:
            for place in range(self._seen, len(self.events)):
                if wanted(self.events[place]):
                    event = self.events[place]
                    if keep:
                        self._seen = place + 1
                    else:
                        del self.events[place]
                    return event
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(
                    f"{self.name}: no {what} within {deadline:g} s; "
                    f"events: {[e.get('type') for e in self.events]}\n{child.tail(self.log, 120)}"
                )
            self._read(left)

    def _read(self, timeout: float) -> None:
        """Take what the control port has to say, waiting for at most `timeout` seconds."""
        assert self._control is not None, f"{self.name} is not started"
        self._control.settimeout(timeout or 0.0)
        try:
            data = self._control.recv(65536)
        except (TimeoutError, BlockingIOError):
            return
        finally:
            self._control.settimeout(5)
        assert data, f"{self.name} ended\n{child.tail(self.log)}"
        self._unread += data
        while b":" in self._unread:
            size, rest = self._unread.split(b":", 1)
            length = int(size)
            if len(rest) <= length:
                return
            self.events.append(json.loads(rest[:length]))
            self._unread = rest[length + 1 :]
