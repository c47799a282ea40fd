"""A person at the page My phone, in a real Chromium whose microphone plays a tone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import headless_shell
from tests.support.pbx_process import PbxProcess
from tests.support.tone import write_tone
from tests.support.wait import until

RATE = 48_000
PASSWORD = "a page needs no phone password"
_PEOPLE = """
from pbx.directory.models import Extension, Person
for number in {numbers!r}:
    person = Person.objects.create_user(f"person{{number}}", password={password!r})
    Extension.objects.filter(number=number).update(person=person)
"""

_LISTEN = """() => {
    const [track] = document.getElementById("voice").srcObject?.getAudioTracks() ?? [];
    if (!track) return 0;
    if (window.listening?.track !== track) {
        window.listening?.context.close();
        const context = new AudioContext();
        const analyser = new AnalyserNode(context, { fftSize: 16384, smoothingTimeConstant: 0 });
        context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
        window.listening = { track, context, analyser };
    }
    const { context, analyser } = window.listening;
    const strength = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(strength);
    const loudest = strength.indexOf(Math.max(...strength));
    return strength[loudest] > -60 ? (loudest * context.sampleRate) / analyser.fftSize : 0;
}"""
"""The strongest frequency that the page hears, in Hz; 0 for silence."""


def make_people(pbx: PbxProcess, *numbers: str) -> None:
    """Somebody who can log in for each of these extensions: person1191 for 1191."""
    pbx.run("shell", "-c", _PEOPLE.format(numbers=numbers, password=PASSWORD))


_STRENGTHS = """(wanted) => {
    const { context, analyser } = window.listening;
    const strength = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(strength);
    return wanted.map((hertz) => {
        const at = Math.round((hertz * analyser.fftSize) / context.sampleRate);
        return Math.max(...strength.slice(at - 3, at + 4));
    });
}"""
"""How strong each of these frequencies is that the page hears, in dB."""


@contextmanager
def chromium_with_tone(
    browser: Browser, frequency: float, directory: Path, program: str = ""
) -> Iterator[Browser]:
    """Another Chromium than `browser`, whose microphone is a tone; `program` is its path."""
    file = write_tone(directory / f"tone-{frequency:g}.wav", frequency, RATE)
    kind = browser.browser_type
    running = kind.launch(
        executable_path=program or headless_shell(),
        args=[
            "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={file}",
            "--autoplay-policy=no-user-gesture-required",
        ],
    )  # fmt: skip
    try:
        yield running
    finally:
        running.close()


class MyPhone:
    """A window with the page My phone, logged in by the form and registered."""

    def __init__(self, window: Page, user: str, password: str, *, logged_in: bool = False) -> None:
        self.window = window
        self.trouble: list[str] = []
        window.set_default_timeout(20_000)
        window.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        window.on(
            "console",
            lambda said: self.trouble.append(said.text) if said.type == "error" else None,
        )
        window.goto("/phone/")
        if logged_in:
            return
        window.get_by_label("User name").fill(user)
        window.get_by_label("Password").fill(password)
        window.get_by_role("button", name="Log in").click()
        self.is_ready()

    def tab(self) -> MyPhone:
        """Another tab of the same browser."""
        return MyPhone(self.window.context.new_page(), "", "", logged_in=True)

    def is_ready(self) -> None:
        expect(self.window.get_by_text("Ready for calls")).to_be_visible(timeout=15_000)

    def dial(self, number: str) -> None:
        self.window.get_by_label("Number or name").fill(number)
        self.window.get_by_role("button", name="Call", exact=True).click()

    def press(self, button: str) -> None:
        self.window.get_by_role("button", name=button, exact=True).click()

    def key(self, key: str) -> None:
        """Press a key of the pad."""
        self.window.get_by_role("group", name="Dial pad").get_by_role(
            "button", name=key, exact=True
        ).click()

    def says(self, text: str, timeout: float = 10_000) -> None:
        expect(self.window.locator("#call-state")).to_have_text(text, timeout=timeout)

    def seen(self) -> str:
        """What the phone shows, and what went wrong in the page."""
        return "\n".join(
            [self.window.locator("#phone > section").first.inner_text(), *self.trouble]
        )

    def is_idle(self) -> None:
        expect(self.window.locator("#call-now")).to_be_hidden()

    def hears(self, frequency: float, *, within: float = 12.0, deadline: float = 15.0) -> None:
        heard: list[float] = []

        def right() -> bool:
            heard.append(self.window.evaluate(_LISTEN))
            return abs(heard[-1] - frequency) <= within

        until(
            right,
            f"{frequency} Hz",
            deadline=deadline,
            pause=0.2,
            explain=lambda: f"{heard[-20:]}\n{self.seen()}",
        )

    def hears_both(self, *frequencies: float, deadline: float = 10.0) -> None:
        """Wait until all of these sound at once, as a key's tones do."""
        self.window.evaluate(_LISTEN)
        heard: list[list[float]] = []

        def right() -> bool:
            heard.append(self.window.evaluate(_STRENGTHS, list(frequencies)))
            return min(heard[-1]) > -45

        until(right, f"{frequencies} Hz", deadline=deadline, pause=0.02, explain=lambda: str(heard))
