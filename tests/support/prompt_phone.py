"""A softphone that is driven by its prompt, in a home directory of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support import child


class PromptPhone:
    """Give it commands by `say`; what it prints is in `prompt` in its home."""

    home: Path
    process: subprocess.Popen[bytes]

    def start(self, *words: str) -> None:
        """Run the program with those words, its home and working directory being `home`."""
        with (self.home / "prompt").open("wb") as prompt:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=prompt,
                stderr=prompt,
                env={**os.environ, "HOME": str(self.home)},
                cwd=self.home,
                preexec_fn=child.die_with_parent,
            )

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.say("quit")  # unregisters
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()

    def say(self, command: str) -> None:
        """Give a command at the prompt."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
