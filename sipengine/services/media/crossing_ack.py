"""An ACK with the answer to an offer that came in a 2xx (RFC 3261 §13.2.2.4), by way of a media gateway."""

from __future__ import annotations

from sipengine.services.media.bodies import sdp_of, with_sdp
from sipengine.services.media.crossing import Crossing
from sipengine.services.ports import MediaAnswer
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.layer import TransactionLayer


class CrossingAck:
    """Goes on when the gateway has answered. If that fails the callee repeats its 2xx, and hangs up."""

    def __init__(
        self, layer: TransactionLayer, flow: Flow, data: bytes, message: Message, crossing: Crossing
    ) -> None:
        self._layer = layer
        self._flow = flow
        self._data = data
        self._message = message
        self._crossing = crossing

    def begin(self) -> None:
        sdp = sdp_of(self._data)
        if not sdp:
            self._layer.out.append((self._flow, self._data))
            return
        tags = self._message.to_tag, self._message.from_tag
        self._crossing.answer(True, tags, sdp, self._crossing.host, self)

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        if answer.ok:
            data = with_sdp(self._data, answer.sdp.encode("latin-1"))
            self._layer.out.append((self._flow, data))
