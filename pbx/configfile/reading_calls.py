"""What a configuration file says of all calls of its domain."""

from __future__ import annotations

from typing import Final

from pbx.configfile.document import CallSettings
from pbx.configfile.nodes import LONG, Entry, Reader
from pbx.directory.validators import SESSION_TIMER_LIMIT, TRUSTED_LIMIT, validate_address

_CALLS: Final = ("session_timer", "assert_identity", "trusted")


def read_calls(reader: Reader, item: Entry) -> CallSettings | None:
    """None if there is nothing there: then it stays as it is."""
    if item.is_empty:
        return None
    fields = reader.fields(item, _CALLS)
    if fields is None:
        return None
    timer = reader.whole_number(fields.get("session_timer"), 0, 0, SESSION_TIMER_LIMIT)
    if 0 < timer < 90:
        reader.error(
            fields["session_timer"], f"{timer} is too small; give 90 or more, or 0 for none"
        )
    trusted = []
    if (entry := fields.get("trusted")) is not None:
        for address in reader.items(entry, TRUSTED_LIMIT):
            trusted.append(reader.text(address, limit=LONG, check=validate_address))
    return CallSettings(
        timer, reader.yes_or_no(fields.get("assert_identity"), False), tuple(trusted)
    )
