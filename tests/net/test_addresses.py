"""Which addresses count as this server's own."""

from __future__ import annotations

import socket

import pytest

from sipengine.net import addresses
from sipengine.net.addresses import local_addresses


def test_one_address_is_itself() -> None:
    assert local_addresses("192.0.2.7") == ["192.0.2.7"]


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_a_wildcard_is_every_address_that_can_be_bound(bind: str) -> None:
    found = local_addresses(bind)
    assert "127.0.0.1" in found
    assert ("::1" in found) == (bind == "::")
    for address in found:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if not address.startswith("fe80:"):  # these need to be told the interface as well
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.bind((address, 0))


def test_where_the_kernel_does_not_tell_the_loopback_addresses_remain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused() -> list[tuple[int, str]]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(addresses, "_ask", refused)
    assert local_addresses("0.0.0.0") == ["127.0.0.1"]
    assert local_addresses("::") == ["127.0.0.1", "::1"]
