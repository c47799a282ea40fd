"""Text as it may stand in an XML document."""

from __future__ import annotations

import re
from typing import Final

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """`text` for an element or an attribute in double quotes; what XML 1.0 cannot hold is left out."""
    if _FORBIDDEN.search(text):
        text = _FORBIDDEN.sub("", text)
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
