"""The media of a real browser: Chromium with an oscillator for a microphone, told what to do by a test.

Its signalling is the test's (tests/support/web_phone.py); ICE, DTLS and codecs are Chromium's own.
"""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, Playwright, async_playwright

from tests.support.chromium import headless_shell

SCRIPT = """async ({tone, codec}) => {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, {frequency: tone});
    const sink = new MediaStreamAudioDestinationNode(context);
    oscillator.connect(sink);
    oscillator.start();
    await context.resume();
    const peer = window.peer = new RTCPeerConnection();
    peer.addTrack(sink.stream.getAudioTracks()[0], sink.stream);
    if (codec) {
        const known = RTCRtpSender.getCapabilities("audio").codecs;
        const wanted = known.filter((each) => [`audio/${codec}`, "audio/telephone-event"]
            .some((name) => each.mimeType.toLowerCase() === name.toLowerCase()));
        peer.getTransceivers()[0].setCodecPreferences(wanted);
    }
    peer.ontrack = ({track}) => {
        const stream = new MediaStream([track]);
        const element = window.element = new Audio();
        element.muted = true;
        element.srcObject = stream;
        element.play();
        const analyser = window.analyser = new AnalyserNode(context, {fftSize: 32768});
        new MediaStreamAudioSourceNode(context, {mediaStream: stream}).connect(analyser);
    };
    window.heard = () => {
        if (!window.analyser) return 0;
        const bins = new Float32Array(window.analyser.frequencyBinCount);
        window.analyser.getFloatFrequencyData(bins);
        let best = 1;
        for (let bin = 2; bin < bins.length; bin++) if (bins[bin] > bins[best]) best = bin;
        return bins[best] < -70 ? 0 : best * context.sampleRate / window.analyser.fftSize;
    };
}"""


class ChromiumMedia:
    """The same doings as `tests.gateway.browser.Browser`; make it by `start`."""

    def __init__(self, playwright: Playwright, chromium: Chromium, page: Page) -> None:
        self._playwright, self._chromium, self._page = playwright, chromium, page

    @classmethod
    async def start(cls, tone: float, codecs: tuple[str, ...]) -> ChromiumMedia:
        playwright = await async_playwright().start()
        chromium = await playwright.chromium.launch(
            executable_path=headless_shell(),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--allow-loopback-in-peer-connection",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        page = await chromium.new_page()
        await page.evaluate(SCRIPT, {"tone": tone, "codec": codecs[0] if codecs else ""})
        return cls(playwright, chromium, page)

    async def _run(self, script: str, value: Any = None) -> Any:
        return await self._page.evaluate(script, value)

    async def offer(self) -> str:
        return str(
            await self._run(
                "async () => { await peer.setLocalDescription(); return peer.localDescription.sdp; }"
            )
        )

    async def accept(self, sdp: str) -> None:
        await self._run("(sdp) => peer.setRemoteDescription({type: 'answer', sdp})", sdp)

    async def answer(self, sdp: str) -> str:
        await self._run("(sdp) => peer.setRemoteDescription({type: 'offer', sdp})", sdp)
        return await self.offer()

    async def restart(self) -> str:
        """An offer that restarts ICE (RFC 8445 §9)."""
        await self._run("() => peer.restartIce()")
        return await self.offer()

    async def hears(self) -> float:
        """The strongest frequency in Hz, 0 for silence."""
        return float(await self._run("() => heard()"))

    async def close(self) -> None:
        await self._chromium.close()
        await self._playwright.stop()
