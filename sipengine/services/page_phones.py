"""Which extension a page's short-lived credential stands for (docs/decisions/0014)."""

from __future__ import annotations

from dataclasses import replace

from sipengine.api import ConfigSnapshot, Extension
from sipengine.page_credentials import ha1_of, split


class PagePhones:
    """Looks at user names that are no extension's number. `key` is `page_credentials.page_key`'s;
    empty means that there are none. `offset` is what wall-clock seconds are ahead of `now`."""

    def __init__(self, key: bytes, offset: float) -> None:
        self._key = key
        self._offset = offset

    def extension_of(
        self, username: str, domain: str, snapshot: ConfigSnapshot, now: float
    ) -> Extension | None:
        """The extension as that credential may act for it: with its digest secrets, and
        `registered_for` the seconds that are left of it (0 or less if none are). None if the
        name is no page's or the extension is not there or disabled."""
        named = split(username)
        if named is None or not self._key:
            return None
        number, ends = named
        extension = snapshot.extensions.get(f"{number}@{domain}")
        if extension is None:
            return None
        return replace(
            extension,
            ha1_md5=ha1_of(username, domain, "MD5", self._key),
            ha1_sha256=ha1_of(username, domain, "SHA-256", self._key),
            registered_for=int(ends - now - self._offset),
        )
