"""How long a datagram waited in the kernel before it was read (SIOCGSTAMP, socket(7))."""

from __future__ import annotations

import fcntl
import socket
import struct
from time import time
from typing import Final

_SIOCGSTAMP: Final = 0x8906
_TIMEVAL: Final = struct.Struct("@ll")

LONGEST_S: Final = 5.0
"""More than any queue holds: the clock was set meanwhile."""


def age_of_latest(sock: socket.socket) -> float:
    """Seconds from the arrival of the datagram read last until now.

    0 where the kernel does not tell, as at the first time that a socket is asked, and for a clock
    that was set.
    """
    try:
        seconds, micros = _TIMEVAL.unpack(fcntl.ioctl(sock, _SIOCGSTAMP, bytes(_TIMEVAL.size)))
    except OSError:
        return 0.0
    age = time() - seconds - micros / 1e6
    return age if 0.0 < age < LONGEST_S else 0.0
