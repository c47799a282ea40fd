"""The environment variables of Branchline, read once, checked whole, told in words.

`Environment.load` reads every variable that docs/operations.md lists; all that is wrong is
collected, so that one start shows every mistake. A variable `X` may be given as `X_FILE`: the
path of a file that holds the value (for secrets). Nothing here writes or opens a connection.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

PROJECT: Final = Path(__file__).resolve().parent.parent
"""The checkout: where manage.py lies."""

VARIABLES: Final = (
    "PBX_DATA_DIR",
    "PBX_BIND",
    "PBX_PUBLIC_ADDRESS",
    "PBX_DOMAIN",
    "PBX_HTTP_PORT",
    "PBX_HTTPS_PORT",
    "PBX_SIP_PORT",
    "PBX_SIPS_PORT",
    "PBX_TLS_CERT",
    "PBX_TLS_KEY",
    "PBX_WS_PORT",
    "PBX_RTP_PORTS",
    "DATABASE_URL",
    "REDIS_URL",
    "PBX_MEDIA",
    "PBX_ADMIN_PASSWORD",
    "PBX_SECRET_KEY",
    "PBX_METRICS_TOKEN",
    "PBX_ADMIN_NETWORKS",
    "PBX_GUARD",
    "PBX_COMPILE",
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE_NETWORKS: Final = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",  # carrier-grade NAT and most overlay networks (RFC 6598)
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_SECRET_FILE_MAX: Final = 65_536  # a mistyped path to something huge must not fill the memory
_ADMIN_PASSWORD_MIN: Final = 8
_SECRET_KEY_MIN: Final = 32
_SWITCH: Final = {"on": True, "1": True, "off": False, "0": False}


class BadEnvironment(Exception):
    """One or more variables are wrong. `lines` has one sentence for each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Environment:
    """What the variables say, typed. Empty text means "not given" wherever a text may be absent."""

    data_dir: Path
    bind: str
    public_address: str
    domain: str
    http_port: int
    https_port: int
    sip_port: int
    sips_port: int
    tls_cert: str
    tls_key: str
    ws_port: int
    rtp_ports: tuple[int, int]
    given_database_url: str
    given_redis_url: str
    media: tuple[tuple[str, int], ...]
    admin_password: str
    given_secret_key: str
    metrics_token: str
    admin_networks: tuple[Network, ...]
    guard: bool
    compile: bool

    @classmethod
    def load(cls, variables: Mapping[str, str]) -> Environment:
        """Read and check `variables`; raises `BadEnvironment` with every mistake at once."""
        read = _Reader(variables)
        environment = cls(
            data_dir=read.directory("PBX_DATA_DIR", PROJECT / "var"),
            bind=read.address("PBX_BIND", "0.0.0.0"),  # noqa: S104 - a PBX serves its network
            public_address=read.host("PBX_PUBLIC_ADDRESS"),
            domain=read.host("PBX_DOMAIN"),
            http_port=read.port("PBX_HTTP_PORT", 8080),
            https_port=read.port("PBX_HTTPS_PORT", 8443),
            sip_port=read.port("PBX_SIP_PORT", 5060),
            sips_port=read.port("PBX_SIPS_PORT", 5061),
            tls_cert=read.existing_file("PBX_TLS_CERT"),
            tls_key=read.existing_file("PBX_TLS_KEY"),
            ws_port=read.port("PBX_WS_PORT", 8088),
            rtp_ports=read.port_range("PBX_RTP_PORTS", (20000, 29999)),
            given_database_url=read.url(
                "DATABASE_URL",
                ("postgresql", "postgres"),
                "postgresql://USER:PASSWORD@HOST:5432/NAME",
            ),
            given_redis_url=read.url(
                "REDIS_URL", ("redis", "rediss", "unix"), "redis://HOST:6379/0"
            ),
            media=read.media("PBX_MEDIA"),
            admin_password=read.secret("PBX_ADMIN_PASSWORD", _ADMIN_PASSWORD_MIN),
            given_secret_key=read.secret("PBX_SECRET_KEY", _SECRET_KEY_MIN),
            metrics_token=read.secret("PBX_METRICS_TOKEN", 16),
            admin_networks=read.networks("PBX_ADMIN_NETWORKS"),
            guard=read.switch("PBX_GUARD", default=True),
            compile=read.switch("PBX_COMPILE", default=True),
        )
        read.check_pair("PBX_TLS_CERT", environment.tls_cert, "PBX_TLS_KEY", environment.tls_key)
        read.check_distinct(
            PBX_HTTP_PORT=environment.http_port,
            PBX_HTTPS_PORT=environment.https_port,
            PBX_SIP_PORT=environment.sip_port,
        )
        if read.errors:
            raise BadEnvironment(tuple(read.errors))
        return environment

    @property
    def database_is_embedded(self) -> bool:
        return not self.given_database_url

    @property
    def redis_is_embedded(self) -> bool:
        return not self.given_redis_url

    @property
    def run_dir(self) -> Path:
        """Where the embedded servers' sockets are: a directory, or a link to one with a short path."""
        return Path(os.path.realpath(self.data_dir / "run"))

    @property
    def database_password_file(self) -> Path:
        return self.data_dir / "secrets" / "database-password"

    @property
    def secret_key_file(self) -> Path:
        return self.data_dir / "secrets" / "secret-key"

    @property
    def database_url(self) -> str:
        """The URL of Postgres: the one given, or that of the embedded server's socket."""
        if self.given_database_url:
            return self.given_database_url
        password = _content(self.database_password_file)
        return f"postgresql://pbx:{quote(password)}@/branchline?host={quote(str(self.run_dir), safe='')}"

    @property
    def redis_url(self) -> str:
        """The URL of Redis or Valkey as redis-py writes it: the one given, or that of the embedded
        server while it runs, or ""."""
        if self.given_redis_url:
            return self.given_redis_url
        valkey = self.run_dir / "valkey.sock"
        return f"unix://{valkey}" if valkey.exists() else ""

    @property
    def secret_key(self) -> str:
        """Django's signing key: the one given, or the generated file's; "" before the first start."""
        return self.given_secret_key or _content(self.secret_key_file)

    @property
    def advertised_address(self) -> str:
        """What phones and browsers are told: PBX_PUBLIC_ADDRESS, the bind address, or the address
        of the interface with the default route."""
        if self.public_address:
            return self.public_address
        if self.bind not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            return self.bind
        return _address_towards_the_world(self.bind)

    @property
    def default_domain(self) -> str:
        """PBX_DOMAIN, else this machine's name if it is a full one, else its address."""
        if self.domain:
            return self.domain
        name = socket.gethostname().lower().rstrip(".")
        if "." in name and _HOST_NAME.fullmatch(name):
            return name
        return self.advertised_address


@functools.cache
def current() -> Environment:
    """The environment of this process. Raises `BadEnvironment`."""
    return Environment.load(os.environ)


def unknown_variables(variables: Mapping[str, str]) -> list[str]:
    """Names that begin with PBX_ and mean nothing: most often a slip of the pen."""
    known = {*VARIABLES, *(f"{name}_FILE" for name in VARIABLES)}
    return sorted(name for name in variables if name.startswith("PBX_") and name not in known)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _address_towards_the_world(bind: str) -> str:
    # Connecting a UDP socket sends nothing; it asks the routing table which address would be used.
    # The target is a documentation address (RFC 5737, RFC 3849).
    family, target = (
        (socket.AF_INET6, "2001:db8::1") if bind == "::" else (socket.AF_INET, "192.0.2.1")
    )
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((target, 9))
        except OSError:
            return "::1" if bind == "::" else "127.0.0.1"
        return str(probe.getsockname()[0])


class _Reader:
    """Takes one variable after the other and remembers what is wrong, in words."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.errors: list[str] = []

    def text(self, name: str) -> str:
        value = self._variables.get(name, "").strip()
        path = self._variables.get(f"{name}_FILE", "").strip()
        if not path:
            return value
        if value:
            self.errors.append(f"{name} and {name}_FILE are both set; give only one of them")
            return value
        try:
            with open(path, encoding="utf-8") as file:
                content = file.read(_SECRET_FILE_MAX).strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            self.errors.append(f"{name}_FILE={path}: cannot be read: {reason}")
            return ""
        if not content:
            self.errors.append(f"{name}_FILE={path}: the file is empty; write the value into it")
        return content

    def wrong(self, name: str, value: str, what: str) -> None:
        self.errors.append(f"{name}={value}: {what}")

    def directory(self, name: str, default: Path) -> Path:
        value = self.text(name)
        path = Path(value).expanduser().absolute() if value else default
        if path.exists() and not path.is_dir():
            self.wrong(name, value or str(path), "not a directory; give the path of a directory")
        return path

    def existing_file(self, name: str) -> str:
        # PBX_TLS_KEY_FILE needs no special case: the variable is a path already.
        value = self.text(name)
        if value and not os.access(value, os.R_OK):
            self.wrong(
                name, value, "no such file, or it may not be read; give the path of a PEM file"
            )
        return value

    def address(self, name: str, default: str) -> str:
        value = self.text(name) or default
        try:
            return str(ipaddress.ip_address(value.strip("[]")))
        except ValueError:
            self.wrong(
                name, value, "not an IP address; give for example 0.0.0.0, :: or 192.168.1.5"
            )
            return default

    def host(self, name: str) -> str:
        value = self.text(name).lower().rstrip(".").strip("[]")
        if not value:
            return ""
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            if not _HOST_NAME.fullmatch(value) or value.replace(".", "").isdigit():
                self.wrong(
                    name, value, "not a host name or IP address; give for example pbx.example.org"
                )
            return value

    def port(self, name: str, default: int) -> int:
        value = self.text(name)
        if not value:
            return default
        port = _port(value)
        if port is None:
            self.wrong(name, value, "not a port number; give 1-65535")
            return default
        return port

    def port_range(self, name: str, default: tuple[int, int]) -> tuple[int, int]:
        value = self.text(name)
        if not value:
            return default
        first, _, last = value.partition("-")
        low, high = _port(first.strip()), _port(last.strip())
        if low is None or high is None or high - low < 1:
            self.wrong(name, value, "not a range of ports; give for example 20000-29999")
            return default
        return low, high

    def url(self, name: str, schemes: tuple[str, ...], example: str) -> str:
        """A URL's value may hold a password, so a wrong one is not repeated."""
        value = self.text(name)
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            wrong = parts.scheme not in schemes or (parts.port is not None and parts.port < 1)
        except ValueError:
            wrong = True
        if wrong:
            self.errors.append(f"{name}: not a URL that can be used; give for example {example}")
        return value

    def media(self, name: str) -> tuple[tuple[str, int], ...]:
        value = self.text(name)
        peers: list[tuple[str, int]] = []
        for peer in filter(None, (part.strip() for part in value.split(","))):
            host, _, port_text = peer.removeprefix("ng://").rpartition(":")
            port = _port(port_text)
            if not peer.startswith("ng://") or not host or port is None:
                self.wrong(
                    name, value, "not a list of media relays; give for example ng://10.0.0.5:2223"
                )
                break
            peers.append((host.strip("[]"), port))
        return tuple(peers)

    def secret(self, name: str, shortest: int) -> str:
        value = self.text(name)
        if value and len(value) < shortest:
            self.errors.append(f"{name}: too short; give at least {shortest} characters")
        return value

    def networks(self, name: str) -> tuple[Network, ...]:
        value = self.text(name) or "private"
        names: tuple[str, ...] = (value,)
        if value == "private":
            names = _PRIVATE_NETWORKS
        elif value == "any":
            names = ("0.0.0.0/0", "::/0")
        else:
            names = tuple(filter(None, re.split(r"[,\s]+", value)))
        try:
            return tuple(ipaddress.ip_network(network, strict=False) for network in names)
        except ValueError:
            self.wrong(name, value, "not private, any or a list of networks such as 192.168.1.0/24")
            return ()

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if value not in ("", *_SWITCH):
            self.wrong(name, value, "give on or off")
        return _SWITCH.get(value, default)

    def check_pair(self, first: str, first_value: str, second: str, second_value: str) -> None:
        if bool(first_value) != bool(second_value):
            given, missing = (first, second) if first_value else (second, first)
            self.errors.append(f"{given} is set but {missing} is not; give both or none")

    def check_distinct(self, **ports: int) -> None:
        seen: dict[int, str] = {}
        for name, port in ports.items():
            if port in seen:
                self.wrong(name, str(port), f"the same port as {seen[port]}; give another one")
            seen.setdefault(port, name)


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 65535:
        return None
    return int(text)
