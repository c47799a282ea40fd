"""By which message of ours the answer to the peer's offer goes out (RFC 6337 §2.1)."""

from __future__ import annotations

from typing import Final

NOTHING: Final = 0
BY_INVITE: Final = 1
"""In the 2xx to the peer's INVITE."""
BY_UPDATE: Final = 2
"""In the 2xx to its UPDATE or PRACK."""
BY_ACK: Final = 3
"""In our ACK: the offer came in the 2xx to our INVITE."""
BY_PRACK: Final = 4
"""In our PRACK: the offer came in a reliable provisional response."""
