"""`./run dial` beside the phones that it rings."""

from __future__ import annotations

import subprocess
import threading

from tests.support.pbx_process import PbxProcess


class Dialled:
    """The command running beside the phones."""

    def __init__(self, pbx: PbxProcess, caller: str, called: str) -> None:
        self.output = ""
        self._thread = threading.Thread(target=self._run, args=(pbx, caller, called))
        self._thread.start()

    def _run(self, pbx: PbxProcess, caller: str, called: str) -> None:
        try:
            self.output = pbx.run("dial", caller, called, check=False, timeout=60)
        except subprocess.TimeoutExpired:
            self.output = "no end"

    def said(self) -> str:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.output
