"""Answering a digest challenge (RFC 3261 §22.2, §22.3; RFC 7616 §3.4; RFC 8760 §2.5)."""

from __future__ import annotations

from typing import Final

from sipengine.services.ua.names import Names
from sipengine.sip.digest import MD5, SHA_256, expected_response, parse_credentials
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message

STRENGTH: Final = (MD5, SHA_256)
MAX_CHALLENGES: Final = 8


class Credentials:
    """A user with H(user:realm:password) by algorithm, in lower-case hex; only for `realm`."""

    __slots__ = ("_ha1", "_names", "_realm", "_user")

    def __init__(self, user: str, realm: str, ha1: dict[str, str], names: Names) -> None:
        self._user = user
        self._realm = realm
        self._ha1 = ha1
        self._names = names

    def answer(self, response: Message, method: str, uri: str) -> tuple[str, str] | None:
        """The header for the request sent again: the strongest challenge that we can answer, else None."""
        proxy = response.status == 407
        best: dict[str, str] | None = None
        strength = -1
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        for value in response.whole_lines(name)[:MAX_CHALLENGES]:
            try:
                fields = parse_credentials(value)
            except RemoteProtocolError:
                continue  # one that cannot be read is no challenge that we could answer
            if fields is None or fields.get("realm") != self._realm:
                continue
            algorithm = fields.get("algorithm", MD5).upper()
            offered = [item.strip() for item in fields.get("qop", "auth").split(",")]
            if algorithm not in self._ha1 or algorithm not in STRENGTH or "auth" not in offered:
                continue
            if STRENGTH.index(algorithm) > strength:
                strength, best = STRENGTH.index(algorithm), fields
        if best is None:
            return None
        return ("Proxy-" if proxy else "") + "Authorization", self._value(best, method, uri)

    def _value(self, challenge: dict[str, str], method: str, uri: str) -> str:
        algorithm = challenge.get("algorithm", MD5).upper()
        fields = {"nonce": challenge.get("nonce", ""), "uri": uri}
        if "qop" in challenge:
            fields |= {"qop": "auth", "nc": "00000001", "cnonce": self._names.tag()}
        proof = expected_response(algorithm, self._ha1[algorithm], method, fields)
        out = [
            f'username="{self._user}"', f'realm="{self._realm}"', f'nonce="{fields["nonce"]}"',
            f'uri="{uri}"', f'response="{proof}"', f"algorithm={algorithm}",
        ]  # fmt: skip
        if "qop" in fields:
            out += ["qop=auth", f"nc={fields['nc']}", f'cnonce="{fields["cnonce"]}"']
        if "opaque" in challenge:
            out.append(f'opaque="{challenge["opaque"]}"')
        return "Digest " + ", ".join(out)
