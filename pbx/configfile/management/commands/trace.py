"""`trace CALL [--full] [--json] [--pcap FILE]`."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import CommandParser
from django.db import connection

from pbx.calls.finding import Ambiguous, find
from pbx.calls.ladder import ladder_of
from pbx.calls.ladder_text import draw, heading
from pbx.calls.models import Call
from pbx.calls.pcap import capture
from pbx.configfile.command import DatabaseCommand, Refused
from pbx.enginelink.asking import Kept, messages_of
from pbx.enginelink.connecting import sentence
from pbx.enginelink.giving import NotGiven
from pbx.environment import current


class Command(DatabaseCommand):
    help = "Show a call's SIP messages as a ladder, as far as the engine still has them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "call",
            metavar="CALL",
            help="its id in the call log, the beginning of that, a SIP Call-ID, or last",
        )
        parser.add_argument("--full", action="store_true", help="with the messages themselves")
        parser.add_argument("--json", action="store_true", help="as a JSON object")
        parser.add_argument("--pcap", metavar="FILE", type=Path, help="write them for Wireshark")

    def work(self, **options: Any) -> None:
        connection.ensure_connection()  # a database that is not there is told in the usual words
        wanted: str = options["call"]
        try:
            call = find(wanted)
        except Ambiguous as trouble:
            raise Refused(str(trouble)) from None
        kept = self._ask(list(call.call_ids) if call is not None else [wanted])
        if options["pcap"] is not None:
            self._write(options["pcap"], kept, wanted)
        elif options["json"]:
            self.stdout.write(json.dumps(_as_json(call, kept), ensure_ascii=False))
        elif not kept.messages:
            raise Refused(nothing_kept(wanted, call, kept))
        else:
            contacts = {leg.contact: leg.target for leg in call.legs.all()} if call else {}
            ladder = ladder_of(kept.messages, contacts)
            self.stdout.write(heading(_title(wanted, call), ladder.began))
            for line in draw(ladder, full=options["full"]):
                self.stdout.write(line)

    def _ask(self, call_ids: list[str]) -> Kept:
        try:
            return messages_of(current().database_url, call_ids)
        except NotGiven as trouble:
            raise Refused(str(trouble)) from None
        except psycopg.Error as error:
            raise Refused(f"The database cannot be used: {sentence(error)}.") from None

    def _write(self, file: Path, kept: Kept, wanted: str) -> None:
        if not kept.messages:
            raise Refused(nothing_kept(wanted, None, kept))
        try:
            file.write_bytes(capture(kept.messages))
        except OSError as error:
            raise Refused(f"{file} cannot be written: {error.strerror}.") from None
        self.stdout.write(f"{file}: {sum('text' in one for one in kept.messages)} messages.")


def nothing_kept(wanted: str, call: Call | None, kept: Kept) -> str:
    since = datetime.fromtimestamp(kept.since).astimezone()
    what = f"of the call {call.pk}" if call is not None else f"of a call {wanted}"
    return (
        f"The engine has no messages {what}. It keeps those of the latest calls"
        f" since its start at {since:%Y-%m-%d %H:%M:%S} (see PBX_TRACE_MB)."
    )


def _title(wanted: str, call: Call | None) -> str:
    if call is None:
        return f"Call-ID {wanted}"
    return f"Call {call.pk} from {call.caller} to {call.called}, {call.result or call.state}"


def _as_json(call: Call | None, kept: Kept) -> dict[str, Any]:
    return {
        "id": None if call is None else str(call.pk),
        "since": kept.since,
        "messages": kept.messages,
    }
