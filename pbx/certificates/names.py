"""What this machine is called: the names that its certificate must have, and those it may have."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from pbx.environment import Environment
from pbx.variables import HOST_NAME
from sipengine.net.addresses import local_addresses


@dataclass(frozen=True, slots=True)
class Names:
    """`needed`: what phones and browsers are told. `further`: how they may reach it besides."""

    needed: list[str]
    further: list[str]


def names_of(environment: Environment, domain: str) -> Names:
    """`domain` is the SIP domain that the certificate is for, too."""
    needed = dict.fromkeys((environment.advertised_address, domain))
    further = ["localhost"]
    host = socket.gethostname().lower().rstrip(".")
    if HOST_NAME.fullmatch(host):
        further += [host, f"{host.partition('.')[0]}.local"]
    for bind in environment.binds:
        further += [address for address in local_addresses(bind) if not address.startswith("fe80:")]
    return Names(list(needed), [name for name in dict.fromkeys(further) if name not in needed])
