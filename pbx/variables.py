"""The text of environment variables, checked and typed one after the other."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

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
_NETWORK_WORDS: Final = {
    "private": _PRIVATE_NETWORKS,
    "loopback": ("127.0.0.0/8", "::1/128"),
    "any": ("0.0.0.0/0", "::/0"),
}
HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_ORIGIN: Final = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/?")
_SECRET_FILE_MAX: Final = 65_536  # a mistyped path to something huge must not fill the memory
_SWITCH: Final = {"on": True, "1": True, "off": False, "0": False}


class Reader:
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

    def addresses(self, name: str, default: str) -> tuple[str, ...]:
        """One address or several with commas; a wildcard leaves no room for others of its family."""
        value = self.text(name) or default
        words = [word.strip().strip("[]") for word in value.split(",")]
        try:
            found = tuple(dict.fromkeys(str(ipaddress.ip_address(word)) for word in words))
        except ValueError:
            self.wrong(
                name,
                value,
                "not an IP address; give for example 0.0.0.0, :: or 192.168.1.5,10.0.0.5",
            )
            return (default,)
        both, ipv4 = "::" in found, "0.0.0.0" in found  # noqa: S104 - compared, not bound
        if len(found) > 1 and (both or (ipv4 and any("." in a for a in found if a != "0.0.0.0"))):  # noqa: S104
            self.wrong(name, value, "0.0.0.0 and :: stand for all addresses; leave out the others")
        return found

    def origins(self, name: str) -> tuple[str, ...]:
        """Web origins as browsers send them, or the word any."""
        words = tuple(filter(None, re.split(r"[,\s]+", self.text(name).lower())))
        for word in words:
            if word != "any" and not _ORIGIN.fullmatch(word):
                self.wrong(name, word, "not an origin; give for example https://phone.example.org")
        return words

    def host_port(self, name: str) -> tuple[str, int] | None:
        value = self.text(name)
        if not value:
            return None
        host, _, port_text = value.rpartition(":")
        port = _port(port_text)
        if not host or port is None:
            self.wrong(name, value, "not HOST:PORT; give for example engine:8088")
            return None
        return host.strip("[]"), port

    def host(self, name: str) -> str:
        value = self.text(name).lower().rstrip(".").strip("[]")
        if not value:
            return ""
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            if not HOST_NAME.fullmatch(value) or value.replace(".", "").isdigit():
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

    def megabytes(self, name: str, default: int, most: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < 9 and int(value) <= most):
            self.wrong(name, value, f"not a number of megabytes; give 0-{most}")
            return default
        return int(value)

    def count(self, name: str, default: int, most: int, what: str) -> int:
        """A number of `what` from 1 to `most`."""
        value = self.text(name)
        if not value:
            return default
        digits = value.isascii() and value.isdigit() and len(value) < 9
        if not (digits and 1 <= int(value) <= most):
            self.wrong(name, value, f"not a number of {what}; give 1-{most}")
            return default
        return int(value)

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

    def name_servers(self, name: str) -> tuple[tuple[str, int], ...]:
        """Addresses with or without a port: `127.0.0.1:5353`, `2001:db8::53`, `[2001:db8::53]:5353`."""
        value = self.text(name)
        servers: list[tuple[str, int]] = []
        for server in filter(None, re.split(r"[,\s]+", value)):
            host, port = server, "53"
            if server.count(":") == 1 or "]:" in server:
                host, _, port = server.rpartition(":")
            try:
                servers.append((str(ipaddress.ip_address(host.strip("[]"))), _port(port) or 0))
            except ValueError:
                servers.append(("", 0))
        if not all(port for _, port in servers):
            self.wrong(name, value, "not a list of name servers; give for example 127.0.0.1:5353")
            return ()
        return tuple(servers)

    def secret(self, name: str, shortest: int) -> str:
        value = self.text(name)
        if value and len(value) < shortest:
            self.errors.append(f"{name}: too short; give at least {shortest} characters")
        return value

    def networks(self, name: str, default: str = "private") -> tuple[Network, ...]:
        """Networks, or words that stand for some, with commas or blanks between them."""
        value = self.text(name) or default
        names: list[str] = []
        for word in filter(None, re.split(r"[,\s]+", value)):
            names += _NETWORK_WORDS.get(word, (word,))
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
