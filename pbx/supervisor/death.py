"""Tie a child's life to its parent's: when the parent is gone, however it went, so is the child."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)


def dies_with_parent(how: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` that asks the kernel to send `how` to the child when its parent ends.

    The kernel watches the *thread* that forked: start children from the main thread. It forgets
    the wish when the child changes its user, so Popen must do that first (it does).
    """
    parent = os.getpid()
    number = int(how)

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
