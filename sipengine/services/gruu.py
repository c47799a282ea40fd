"""GRUUs: addresses that reach one phone of a user, from anywhere (RFC 5627).

The public one names user and instance: `sip:1001@pbx.example;gr=urn:uuid:…`. The temporary one
hides both: `sip:tgruu.….@pbx.example;gr` holds them enciphered, so that nothing is stored and every
one outlives a restart. A temporary GRUU ends with the registration that it was given for: when the
phone has unregistered, or has come back with another Call-ID (RFC 5627 §3.1.2).

The cipher is a synthetic initialisation vector (a MAC of the text) and BLAKE2 as key stream: whoever
changes a character finds no user.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest
from typing import Final

from sipengine.api import Extension
from sipengine.services.binding import Binding
from sipengine.services.location import Location
from sipengine.services.responsibility import Responsibility
from sipengine.services.routing import RING, Decision, Destination, Stage
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import SipUri, escape_user, unescape

TEMPORARY: Final = "tgruu."
_VECTOR: Final = 12
_CALL: Final = 6
_TIME: Final = 6
_HEAD: Final = _TIME + _CALL + 1
_UUID: Final = "urn:uuid:"
MAX_TOKEN: Final = 700
"""Characters: what the longest user and instance make."""
CLOCK_MS: Final = 2
"""How much a time may change by going to the database and back."""

_SAFE: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()[]/:&+$"
)
"""What may stand in a URI parameter as it is (RFC 3261 §25.1)."""


class Gruus:
    """Mints and reads them. `secret` lasts over restarts."""

    def __init__(self, secret: bytes, location: Location, responsibility: Responsibility) -> None:
        self._key = hashlib.blake2s(b"vector", key=secret[:32]).digest()
        self._stream = hashlib.blake2s(b"stream", key=secret[:32]).digest()
        self._location = location
        self._responsibility = responsibility

    # ------------------------------------------------------------------ minted by the registrar

    def parameters(self, binding: Binding, wall: float) -> str:
        """The Contact parameters of a registered instance (RFC 5627 §5.1); each time a new temporary one."""
        number, _, domain = binding.aor.rpartition("@")
        instance = binding.instance.strip("<>")
        return (
            f';pub-gruu="sip:{escape_user(number)}@{domain};gr={_escaped(instance)}"'
            f';temp-gruu="sip:{TEMPORARY}{self._token(binding, wall)}@{domain};gr"'
        )

    def _token(self, binding: Binding, wall: float) -> str:
        number = binding.aor.rpartition("@")[0]
        instance = binding.instance.strip("<>")
        packed = _packed_uuid(instance) or instance.encode("latin-1", "replace")
        size = 0 if packed != instance.encode("latin-1", "replace") else len(packed)
        plain = (
            int(wall * 1000).to_bytes(_TIME, "big")
            + self._call(binding.call_id)
            + bytes((size,))
            + packed
            + number.encode("utf-8", "replace")
        )
        vector = hashlib.blake2s(plain, key=self._key, digest_size=_VECTOR).digest()
        return (
            urlsafe_b64encode(vector + self._ciphered(plain, vector)).rstrip(b"=").decode("ascii")
        )

    # ------------------------------------------------------------------ read by the proxy

    def concerns(self, uri: SipUri) -> bool:
        """Whether a URI is a GRUU of one of our domains."""
        return (
            bool(uri.parameters)
            and bool(uri.user)
            and uri.parameter("gr") is not None
            and bool(self._responsibility.domain_of(uri.host, uri.port))
        )

    def named_by(self, uri: SipUri, now: float) -> tuple[str, str]:
        """(AOR, instance) that a GRUU of ours names; whether the instance is registered is not said.

        Raises `RemoteProtocolError` 404 for a temporary one that is not ours or has ended.
        """
        domain = self._responsibility.domain_of(uri.host, uri.port)
        if not uri.user.startswith(TEMPORARY):
            instance = unescape(uri.parameter("gr") or "")
            if not instance:
                raise RemoteProtocolError(404, "Not Found: no such GRUU")
            return f"{unescape(uri.user)}@{domain}", f"<{instance}>"
        return self._of_token(uri.user[len(TEMPORARY) :], domain, now)

    def _of_token(self, token: str, domain: str, now: float) -> tuple[str, str]:
        unknown = RemoteProtocolError(404, "Not Found: no such GRUU")
        if len(token) > MAX_TOKEN or not token.isascii():
            raise unknown
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            raise unknown from None
        vector, cipher = raw[:_VECTOR], raw[_VECTOR:]
        plain = self._ciphered(cipher, vector)
        made = hashlib.blake2s(plain, key=self._key, digest_size=_VECTOR).digest()
        if len(plain) < _HEAD or not compare_digest(vector, made):
            raise unknown
        minted = int.from_bytes(plain[:_TIME], "big")
        call = plain[_TIME : _TIME + _CALL]
        size = plain[_HEAD - 1] or 16
        packed = plain[_HEAD : _HEAD + size]
        instance = packed.decode("latin-1") if plain[_HEAD - 1] else _unpacked_uuid(packed)
        aor = f"{plain[_HEAD + size :].decode('utf-8')}@{domain}"
        for binding in self._location.contacts(aor, now):
            if (
                binding.instance.strip("<>") == instance
                and self._call(binding.call_id) == call
                and minted + CLOCK_MS >= int(binding.registered_at * 1000)
            ):
                return aor, binding.instance
        raise unknown

    def _call(self, call_id: str) -> bytes:
        text = call_id.encode("latin-1", "replace")
        return hashlib.blake2s(text, key=self._key, digest_size=_CALL).digest()

    def _ciphered(self, text: bytes, vector: bytes) -> bytes:
        """Encipher or decipher."""
        stream = b""
        block = 0
        while len(stream) < len(text):
            stream += hashlib.blake2b(bytes((block,)) + vector, key=self._stream).digest()
            block += 1
        return bytes([a ^ b for a, b in zip(text, stream, strict=False)])


def to_one_phone(extension: Extension, instance: str) -> Decision:
    """The decision for a call to a GRUU: no rule and no forward comes between, it means that phone."""
    phone = Destination(aor=extension.aor, name=extension.name, instance=instance)
    said = (
        f"The address is that of one phone of {extension.number} (a GRUU), so that one alone rings."
    )
    return Decision(RING, stage=Stage((phone,), extension.ring_timeout), steps=(said,))


def same_instance(one: str, other: str) -> bool:
    """Whether two instance ids are the same URN; those of UUIDs in any case of letters (RFC 4122 §3)."""
    if one == other:
        return True
    return one[:10].lower() == f"<{_UUID}" and one.lower() == other.lower()


def _packed_uuid(instance: str) -> bytes:
    """The 16 bytes of a UUID's URN in its usual spelling, b"" for any other text."""
    digits = instance[len(_UUID) :].replace("-", "")
    if len(digits) != 32 or instance[:9] != _UUID:
        return b""
    try:
        packed = bytes.fromhex(digits)
    except ValueError:
        return b""
    return packed if _unpacked_uuid(packed) == instance else b""


def _unpacked_uuid(packed: bytes) -> str:
    text = packed.hex()
    return f"{_UUID}{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _escaped(text: str) -> str:
    if _SAFE.issuperset(text):
        return text
    return "".join(
        c if c in _SAFE else "".join(f"%{b:02X}" for b in c.encode("latin-1", "replace"))
        for c in text
    )
