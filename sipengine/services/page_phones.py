"""Which extension a page's short-lived credential stands for (docs/decisions/0014)."""

from __future__ import annotations

from dataclasses import replace

from sipengine.api import ConfigSnapshot, Extension
from sipengine.page_credentials import ha1_of, split
from sipengine.services.location import REMOVED, Location
from sipengine.services.this_process import ThisProcess


class PagePhones:
    """Looks at user names that are no extension's number. `key` is `page_credentials.page_key`'s;
    empty means that there are none. `process` knows wall-clock time."""

    def __init__(self, key: bytes, process: ThisProcess, location: Location) -> None:
        self._key = key
        self._process = process
        self._location = location
        self._ended: dict[str, str] = {}

    def extension_of(
        self, username: str, domain: str, snapshot: ConfigSnapshot, now: float
    ) -> Extension | None:
        """The extension as that credential may act for it: with its digest secrets, the page's mark,
        and `registered_for` the seconds that are left of it (0 or less if none are, or its page is
        over). None if the name is no page's or the extension is not there or disabled."""
        named = split(username)
        if named is None or not self._key:
            return None
        number, ends, page = named
        extension = snapshot.extensions.get(f"{number}@{domain}")
        if extension is None:
            return None
        left = 0 if page in self._ended else int(ends - now - self._process.offset)
        return replace(
            extension,
            ha1_md5=ha1_of(username, domain, "MD5", self._key),
            ha1_sha256=ha1_of(username, domain, "SHA-256", self._key),
            registered_for=left,
            page=page,
        )

    def end(self, pages: dict[str, str], now: float) -> None:
        """Take note of the pages that are over (mark -> AOR; all that might still hold a credential
        are given each time) and take back the registrations of those that newly are."""
        fresh = [page for page in pages if page not in self._ended]
        self._ended = pages
        for page in fresh:
            for binding in self._location.contacts(pages[page], now):
                if binding.page == page:
                    self._location.remove(binding, REMOVED, now + self._process.offset)
