"""The phone page's socket: it says that some call or phone changed, and the page reads again."""

from __future__ import annotations

from typing import Final

from webui.dashboard.consumers import LiveConsumer
from webui.webphone.owner import extension_of

_COALESCE: Final = 1.0  # seconds; of a busy office's hints a page of one person needs few


class PhoneConsumer(LiveConsumer):
    """As the Live page's, for whoever has an extension."""

    coalesce = _COALESCE

    def may_watch(self) -> bool:
        return extension_of(self.scope["user"]) is not None
