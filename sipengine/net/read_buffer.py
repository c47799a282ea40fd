"""Where all sockets read into; of what came, each takes a copy.

What `recv(65_535)` gives was a block of that size, and was cut. Where some messages are kept (by the
traces) and others are not, no later block of that size fits into the gaps between those kept: 32 MB
of messages took 115 MB. A copy costs 0.1 µs.
"""

from __future__ import annotations

from typing import Final

BUFFER: Final = bytearray(65_536)
"""A datagram is no larger; of a stream it is a piece."""
RECEIVED: Final = memoryview(BUFFER)
"""`bytes(RECEIVED[:size])` before anything else is read."""
