"""The engine's own user agent with what it is used for, put together."""

from __future__ import annotations

from typing import Final

from sipengine.api import ConfigSnapshot
from sipengine.services.calls import Calls
from sipengine.services.ports import Media
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.routing import RoutingTable
from sipengine.services.this_process import ThisProcess
from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.click_to_call import ClickToCall
from sipengine.services.ua.names import Names
from sipengine.services.ua.own_calls import OwnCalls
from sipengine.services.ua.place import Place

INTERVAL: Final = 600
"""Seconds of the sessions that we are a side of, where the domain wants none: a phone that vanished
is found out after half of it, and the other side of its call is free again."""


class OwnAgent(UserAgent):
    """`calls` answers what routing sends to us, `click_to_call` joins two phones."""

    def __init__(
        self,
        proxy: Proxy,
        place: Place,
        calls: Calls,
        media: Media,
        process: ThisProcess,
    ) -> None:
        names = Names(process.passing_key("names"), process.agent_mark, process.share)
        super().__init__(proxy.layer, place, names, INTERVAL, anchors=proxy.anchors)
        unseen = Calls(proxy.layer.timers, process, process.passing_key("unseen calls").hex()[:15])
        table = RoutingTable(ConfigSnapshot())
        self.click_to_call = ClickToCall(self, proxy, calls, unseen, table, media)
        self.calls = OwnCalls(self, media)

    def set_config(self, table: RoutingTable) -> None:
        """Decide by another configuration from now on."""
        self.click_to_call.table = table
        domain = table.snapshot.domains.get(table.snapshot.default_domain)
        self.interval = (domain.session_expires if domain is not None else 0) or INTERVAL
