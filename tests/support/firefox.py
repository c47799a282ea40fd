"""A person at the page My phone in a real Firefox, driven by WebDriver BiDi as Firefox itself speaks it.

W3C WebDriver BiDi: one WebSocket, a command a line, its answer by number. No driver stands between.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from websockets.sync.client import ClientConnection, connect

from tests.support import child
from tests.support.programs import program
from tests.support.tone import Sound
from tests.support.wait import until

_PREFERENCES = {
    "media.navigator.streams.fake": True,  # a microphone that is a tone
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,  # the tests' gateway has no other address
    "media.peerconnection.ice.default_address_only": False,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "permissions.default.microphone": 1,
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.auto": False,
    "extensions.update.enabled": False,
}

_RECORD = """async () => {
    const [track] = document.getElementById("voice").srcObject?.getAudioTracks() ?? [];
    if (!track) return "";
    const recorder = new MediaRecorder(new MediaStream([track]));
    const parts = [];
    const over = new Promise((done) => {
        recorder.ondataavailable = (event) => parts.push(event.data);
        recorder.onstop = done;
    });
    recorder.start();
    await new Promise((done) => setTimeout(done, 700));
    recorder.stop();
    await over;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
}"""
"""What the page hears in 0.7 s, Opus in base64. Firefox has no AudioContext without a sound card."""


class Firefox:
    """One window. Waits for what it looks for, and fails with what the page shows."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.trouble: list[str] = []
        self._command("session.new", capabilities={})
        self._command("session.subscribe", events=["log.entryAdded"])
        (tab,) = self._command("browsingContext.getTree")["contexts"]
        self._tab: str = tab["context"]

    def _command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        for _ in range(10_000):
            message = json.loads(self._socket.recv(30))
            if message.get("method") == "log.entryAdded":
                entry = message["params"]
                if entry["level"] == "error":
                    self.trouble.append(entry["text"])
            elif message.get("id") == self._number:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result
        raise AssertionError(f"no answer to {method} among ten thousand messages")

    # ------------------------------------------------------------------ a page

    def goto(self, url: str) -> None:
        self._command("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def evaluate(self, function: str, *arguments: str) -> Any:
        """What the JavaScript `function` gives for `arguments`: a text, a number, a truth or null."""
        result = self._command(
            "script.callFunction",
            functionDeclaration=function,
            arguments=[{"type": "string", "value": one} for one in arguments],
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert result["type"] == "success", result
        return result["result"].get("value")

    def seen(self) -> str:
        """What the page shows, and what went wrong in it."""
        return "\n".join(
            [str(self.evaluate("() => document.body?.innerText ?? ''")), *self.trouble]
        )

    def _find(self, locator: dict[str, Any]) -> dict[str, Any]:
        """The one thing there is of that kind that can be seen."""
        found: list[dict[str, Any]] = []

        def one() -> bool:
            found[:] = self._command(
                "browsingContext.locateNodes", context=self._tab, locator=locator
            )["nodes"]
            return len(found) == 1

        until(one, f"one {locator}", deadline=20, pause=0.1, explain=self.seen)
        return found[0]

    def press(self, name: str) -> None:
        """Click the button of that name, with the mouse."""
        node = self._find({"type": "accessibility", "value": {"role": "button", "name": name}})
        origin = {"type": "element", "element": {"sharedId": node["sharedId"]}}
        actions = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        self._command("input.performActions", context=self._tab, actions=[mouse])

    def write(self, selector: str, text: str) -> None:
        """Type `text` into the field, key by key."""
        node = self._find({"type": "css", "value": selector})
        self._command(
            "script.callFunction",
            functionDeclaration="(field) => field.focus()",
            arguments=[{"sharedId": node["sharedId"]}],
            target={"context": self._tab},
            awaitPromise=False,
        )
        strokes = [
            {"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")
        ]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self._command("input.performActions", context=self._tab, actions=[keyboard])

    def shows(self, selector: str, text: str) -> None:
        """Wait until what `selector` finds has exactly that text."""
        words = "(selector) => document.querySelector(selector)?.textContent.trim() ?? ''"
        until(
            lambda: self.evaluate(words, selector) == text,
            f"{selector} to say {text!r}",
            deadline=20,
            pause=0.1,
            explain=self.seen,
        )

    # ------------------------------------------------------------------ My phone

    def log_in(self, url: str, user: str, password: str) -> None:
        self.goto(f"{url}/phone/")
        self.write("input[name=username]", user)
        self.write("input[name=password]", password)
        self.press("Log in")
        until(
            lambda: "Ready for calls" in self.seen(),
            "the phone to be registered",
            deadline=30,
            pause=0.2,
            explain=self.seen,
        )

    def dial(self, number: str) -> None:
        self.write("#number", number)
        self.press("Call")

    def says(self, text: str) -> None:
        self.shows("#call-state", text)

    def is_idle(self) -> None:
        until(
            lambda: self.evaluate(
                "() => document.getElementById('call-now').offsetParent === null"
            ),
            "no call",
            deadline=10,
            pause=0.1,
            explain=self.seen,
        )

    def hears(self, frequency: float | None) -> None:
        """Wait until that tone sounds in the page; None for silence."""
        heard: list[float | None] = []

        def right() -> bool:
            heard.append(_sound(base64.b64decode(self.evaluate(_RECORD))).last(0.4).frequency())
            if frequency is None or heard[-1] is None:
                return heard[-1] is frequency
            return abs(heard[-1] - frequency) <= 12

        until(
            right,
            f"{frequency} Hz",
            deadline=20,
            pause=0.1,
            explain=lambda: f"{heard[-20:]}\n{self.seen()}",
        )


def _sound(recorded: bytes) -> Sound:
    if not recorded:
        return Sound(np.zeros(0), 48_000)
    with av.open(io.BytesIO(recorded), "r") as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
    return Sound(np.concatenate(frames, axis=1).mean(axis=0), 48_000)


@contextmanager
def firefox_with_tone(frequency: int, directory: Path) -> Iterator[Firefox]:
    """A Firefox whose microphone is a tone of so many Hz."""
    profile = directory / "firefox"
    profile.mkdir()
    wanted = {**_PREFERENCES, "media.navigator.audio.fake_frequency": frequency}
    (profile / "user.js").write_text(
        "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in wanted.items())
    )
    log = directory / "firefox.log"
    command = [
        program("firefox-esr", "firefox-esr"), "--headless", "--no-remote",
        "--remote-debugging-port=0", "--profile", str(profile), "about:blank",
    ]  # fmt: skip
    process = child.start(command, log, environment={"HOME": str(profile)})
    try:
        until(
            lambda: b"BiDi listening on" in log.read_bytes(),
            "Firefox to listen",
            deadline=60,
            explain=lambda: log.read_text("utf-8", "replace"),
        )
        listening = re.search(r"BiDi listening on (\S+)", log.read_text("utf-8", "replace"))
        assert listening
        with connect(f"{listening[1]}/session", max_size=None, proxy=None) as socket:
            yield Firefox(socket)
    finally:
        child.stop(process)
