"""The whole suite in several workers (pytest-xdist): which tests a worker is given together.

Most tests with servers and phones wait, so workers beside each other save time even on few processors.
Each worker has its own Postgres, Branchline, Chromium and ports.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling


class Lanes(LoadScopeScheduling):
    """Hands out the tests of one file at a time, in the order in which they would run in one process.

    A file whose tests do not stand together (those with a browser come last) is handed out in pieces.
    So no worker has a test without a browser after one with it.
    """

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._piece: dict[str, str] = {}

    def schedule(self) -> None:
        if not self._piece:
            file, number = "", 0
            for test in next(iter(self.registered_collections.values()), ()):
                if test.partition("::")[0] != file:
                    file, number = test.partition("::")[0], number + 1
                self._piece[test] = f"{number} {file}"
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._piece[nodeid]
