"""The environment variables of Branchline, read once, checked whole, told in words.

`Environment.load` reads every variable that docs/operations.md lists; all that is wrong is
collected, so that one start shows every mistake. A variable `X` may be given as `X_FILE`: the
path of a file that holds the value (for secrets). Nothing here writes or opens a connection.
"""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pbx.variables import HOST_NAME, Network, Reader
from sipengine.steering import MOST_PROCESSES

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
    "PBX_TLS_CA",
    "PBX_WS_PORT",
    "PBX_WS_ORIGINS",
    "PBX_WS_ENGINE",
    "PBX_RTP_PORTS",
    "DATABASE_URL",
    "REDIS_URL",
    "PBX_MEDIA",
    "PBX_ADMIN_PASSWORD",
    "PBX_SECRET_KEY",
    "PBX_METRICS_TOKEN",
    "PBX_ADMIN_NETWORKS",
    "PBX_GUARD",
    "PBX_GUARD_ALLOW",
    "PBX_COMPILE",
    "PBX_DNS",
    "PBX_TRACE_MB",
    "PBX_ENGINE_WORKERS",
)


_ADMIN_PASSWORD_MIN: Final = 8
_SECRET_KEY_MIN: Final = 32


class BadEnvironment(Exception):
    """One or more variables are wrong. `lines` has one sentence for each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Environment:
    """What the variables say, typed. Empty text means "not given" wherever a text may be absent."""

    data_dir: Path
    binds: tuple[str, ...]
    public_address: str
    domain: str
    http_port: int
    https_port: int
    sip_port: int
    sips_port: int
    tls_cert: str
    tls_key: str
    tls_ca: str
    ws_port: int
    ws_origins: tuple[str, ...]
    given_ws_engine: tuple[str, int] | None
    rtp_ports: tuple[int, int]
    given_database_url: str
    given_redis_url: str
    media: tuple[tuple[str, int], ...]
    admin_password: str
    given_secret_key: str
    metrics_token: str
    admin_networks: tuple[Network, ...]
    guard: bool
    guard_allow: tuple[Network, ...]
    compile: bool
    name_servers: tuple[tuple[str, int], ...] = ()
    trace_mb: int = 32
    engine_workers: int = 1

    @classmethod
    def load(cls, variables: Mapping[str, str]) -> Environment:
        """Read and check `variables`; raises `BadEnvironment` with every mistake at once."""
        read = Reader(variables)
        environment = cls(
            data_dir=read.directory("PBX_DATA_DIR", PROJECT / "var"),
            binds=read.addresses("PBX_BIND", "0.0.0.0"),  # noqa: S104 - a PBX serves its network
            public_address=read.host("PBX_PUBLIC_ADDRESS"),
            domain=read.host("PBX_DOMAIN"),
            http_port=read.port("PBX_HTTP_PORT", 8080),
            https_port=read.port("PBX_HTTPS_PORT", 8443),
            sip_port=read.port("PBX_SIP_PORT", 5060),
            sips_port=read.port("PBX_SIPS_PORT", 5061),
            tls_cert=read.existing_file("PBX_TLS_CERT"),
            tls_key=read.existing_file("PBX_TLS_KEY"),
            tls_ca=read.existing_file("PBX_TLS_CA"),
            ws_port=read.port("PBX_WS_PORT", 8088),
            ws_origins=read.origins("PBX_WS_ORIGINS"),
            given_ws_engine=read.host_port("PBX_WS_ENGINE"),
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
            guard_allow=read.networks("PBX_GUARD_ALLOW", default="loopback"),
            compile=read.switch("PBX_COMPILE", default=True),
            name_servers=read.name_servers("PBX_DNS"),
            trace_mb=read.megabytes("PBX_TRACE_MB", 32, 4096),
            engine_workers=read.count("PBX_ENGINE_WORKERS", 1, MOST_PROCESSES, "processes"),
        )
        read.check_pair("PBX_TLS_CERT", environment.tls_cert, "PBX_TLS_KEY", environment.tls_key)
        read.check_distinct(
            PBX_HTTP_PORT=environment.http_port,
            PBX_HTTPS_PORT=environment.https_port,
            PBX_SIP_PORT=environment.sip_port,
            PBX_SIPS_PORT=environment.sips_port,
            PBX_WS_PORT=environment.ws_port,
        )
        if read.errors:
            raise BadEnvironment(tuple(read.errors))
        return environment

    @property
    def bind(self) -> str:
        """The first address to listen on."""
        return self.binds[0]

    @property
    def tls_files(self) -> tuple[str, str]:
        """The certificate and its key: the ones given, or those of this installation's own authority."""
        own = self.data_dir / "tls"
        return (
            self.tls_cert or str(own / "certificate.pem"),
            self.tls_key or str(own / "key.pem"),
        )

    @property
    def ws_engine(self) -> tuple[str, int]:
        """Where the web part finds the engine's WebSocket: on this machine, or PBX_WS_ENGINE."""
        return self.given_ws_engine or (loopback_of(self.bind), self.ws_port)

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
    def media_gateways(self) -> tuple[tuple[str, int], ...]:
        """Where the media gateways take their commands: those given, or the embedded one's second port."""
        return self.media or (("127.0.0.1", self.rtp_ports[0] + 1),)

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
        if "." in name and HOST_NAME.fullmatch(name):
            return name
        return self.advertised_address


def loopback_of(bind: str) -> str:
    """Where a part that listens on `bind` is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - compared, not bound


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
