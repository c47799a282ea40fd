"""The TLS of the HTTPS door: a certificate that was renewed is taken up without a restart."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

LOOKED_AT_EVERY_S: Final = 5.0


class BadCertificate(Exception):
    """The files cannot be used; the text says why."""


class HttpsDoor:
    """A server context whose files are read again when they change. Connections that are open
    keep what they began with; the next one gets the new certificate."""

    def __init__(self, certificate: str, key: str) -> None:
        self._files = (certificate, key)
        self._seen = self._state()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self.context.load_cert_chain(*self._files)
        except OSError as error:  # SSLError is one
            raise BadCertificate(f"{certificate} and {key} cannot be used: {error}") from error

    def refresh(self) -> bool:
        """Take the files up if they have changed; True if that was so. Bad ones change nothing."""
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        try:
            # Tried apart first: half a pair must not get into the one in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)
        except OSError as error:
            _log.warning("the new certificate cannot be used, the old one stays: %s", error)
            return False
        _log.info("certificate changed")
        return True

    async def watch(self) -> None:
        """Look at the files now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            self.refresh()

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for name in self._files:
            try:
                status = Path(name).stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)
