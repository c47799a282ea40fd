"""The certificate of this server, and what others' are checked against. Both may change while we run.

New files are taken up without dropping a connection: what stands keeps the keys it agreed on, what
comes next gets the new certificate.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files: our certificate with its chain, its key, and authorities to trust beside the
    system's ("" for none)."""

    certificate: str
    key: str
    authorities: str = ""


class Certificates:
    """Contexts for the TLS of connections that come and of those we make: TLS 1.2 and later."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises OSError (ssl.SSLError is one) if the files cannot be used."""
        self._files = files
        self._seen = self._look()
        self.server = self._server_context()
        self.client = self._client_context()

    def refresh(self) -> str:
        """Take up files that have changed since last asked. Returns "", "changed", or why not.

        Files that cannot be used (a key that is not there yet) change nothing and are told once.
        """
        try:
            seen = self._look()
        except OSError:
            return ""  # in the middle of being replaced
        if seen == self._seen:
            return ""
        self._seen = seen
        try:
            server, client = self._server_context(), self._client_context()
        except OSError as error:
            return f"the new certificate cannot be used, the old one stays: {error}"
        self.server, self.client = server, client
        return "changed"

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        names = filter(None, (self._files.certificate, self._files.key, self._files.authorities))
        states = [os.stat(name) for name in names]
        return tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states)

    def _server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _harden(context)
        context.load_cert_chain(self._files.certificate, self._files.key)
        return context

    def _client_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _harden(context)
        context.check_hostname = False  # sipengine.net.domain_identity does, by SIP's own rules
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self._files.authorities:
            context.load_verify_locations(self._files.authorities)
        # A server that asks who we are may then use this connection both ways (RFC 5923 §8.1).
        context.load_cert_chain(self._files.certificate, self._files.key)
        return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Renegotiation lets a peer have us compute for nothing; compression tells of what it packs.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
