"""The relay of SIP WebSockets: a real uvicorn before a real endpoint of the engine."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from asgiref.typing import ASGI3Application
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as ws_connect
from websockets.typing import Origin, Subprotocol

from pbx.admission import Admission
from pbx.siprelay import relay
from pbx.siprelay.relay import PATH, SipRelay
from sipengine.net.ws_admission import WsAdmission
from sipengine.relay_note import HEADER, Client, relay_key, write_note
from tests.net.certificate_files import Authority
from tests.net.served import DEADLINE, Served
from tests.support.free_ports import free_port
from tests.support.wait import until

KEY = relay_key("the secret of this installation, long enough")
HELLO = "OPTIONS sip:a@b SIP/2.0\r\n\r\nhé"
NOBODY = (ipaddress.ip_network("192.0.2.0/24"),)


class Web:
    """The web part's socket side: admission and relay, over HTTP or HTTPS."""

    def __init__(self, engine_port: int, key: bytes = KEY, **options: Any) -> None:
        inner = cast(ASGI3Application, SipRelay(("127.0.0.1", engine_port), key))
        application = Admission(inner, NOBODY, sip_path=PATH, sip_origins=("https://crm.example",))
        self.port = free_port()
        self.scheme = "wss" if "ssl_certfile" in options else "ws"
        self.server = uvicorn.Server(
            uvicorn.Config(
                cast(Any, application), host="127.0.0.1", port=self.port, lifespan="off",
                ws="websockets-sansio", log_config=None, ws_max_size=65_536, timeout_graceful_shutdown=1,
                **options,
            )
        )  # fmt: skip
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()))

    def __enter__(self) -> Web:
        self.thread.start()
        until(lambda: self.server.started, "uvicorn to start")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)

    def connect(self, *, origin: str = "", path: str = PATH, **more: Any) -> ClientConnection:
        return ws_connect(
            f"{self.scheme}://127.0.0.1:{self.port}{path}",
            subprotocols=more.pop("subprotocols", [Subprotocol("sip")]),
            origin=Origin(origin) if origin else None,
            compression=None, proxy=None, open_timeout=DEADLINE, close_timeout=DEADLINE, max_size=None,
            **more,
        )  # fmt: skip


@pytest.fixture
def engine() -> Iterator[Served]:
    with Served(admission=WsAdmission((), (8080,), KEY)) as served:
        yield served


@pytest.fixture
def web(engine: Served) -> Iterator[Web]:
    with Web(engine.ws_port) as running:
        yield running


def exchange(client: ClientConnection) -> None:
    client.send(HELLO)
    assert client.recv(DEADLINE) == HELLO


def test_messages_pass_both_ways_and_the_engine_knows_whose_they_are(
    engine: Served, web: Web
) -> None:
    with web.connect(origin=f"http://127.0.0.1:{web.port}") as client:
        assert client.subprotocol == "sip"
        exchange(client)
        client.send(b"MESSAGE \xff")
        assert client.recv(DEADLINE) == b"MESSAGE \xff"
        flow = engine.core.received[0][1]
        assert (flow.transport, flow.remote) == ("WS", client.local_address)

        def send() -> None:
            engine.core.out.append((flow, b"NOTIFY unasked"))
            engine.endpoint.drain(time.monotonic())

        engine.call(send)
        assert client.recv(DEADLINE) == "NOTIFY unasked"
    until(lambda: not flow.open, "the engine to hear of the end")


def test_over_https_it_is_wss(engine: Served, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.files("127.0.0.1")
    options: dict[str, Any] = {"ssl_certfile": files.certificate, "ssl_keyfile": files.key}
    context: ssl.SSLContext = authority.client()
    with Web(engine.ws_port, **options) as web, web.connect(ssl=context) as client:
        exchange(client)
        assert engine.core.received[0][1].transport == "WSS"


def test_the_engines_goodbye_reaches_the_client(engine: Served, web: Web) -> None:
    with web.connect() as client:
        exchange(client)
        flow = engine.core.received[0][1]
        engine.call(lambda: flow.lose())  # type: ignore[attr-defined]
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(DEADLINE)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001


def test_too_large_is_refused_at_the_door(engine: Served, web: Web) -> None:
    with web.connect() as client:
        client.send("x" * 65_537)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(DEADLINE)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
    assert engine.core.received == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_strangers_page_may_not_use_it(engine: Served, web: Web, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught, web.connect(origin=origin):
        pass
    assert caught.value.response.status_code == 403
    assert engine.counter("tcp_accepted") == 0


def test_a_listed_page_and_a_program_may(web: Web) -> None:
    for origin in ("https://crm.example", ""):
        with web.connect(origin=origin) as client:
            exchange(client)


def test_the_listed_page_may_use_nothing_else(web: Web) -> None:
    with (
        pytest.raises(InvalidStatus) as caught,
        web.connect(origin="https://crm.example", path="/ws/live/"),
    ):
        pass
    assert caught.value.response.status_code == 403


def test_without_the_subprotocol_it_is_refused(engine: Served, web: Web) -> None:
    with pytest.raises(InvalidStatus), web.connect(subprotocols=["chat"]):
        pass
    assert engine.counter("tcp_accepted") == 0


def test_a_clients_own_note_is_not_passed_on(engine: Served, web: Web) -> None:
    forged = write_note(Client("192.0.2.66", 1, secure=True), KEY, time.time())
    with web.connect(additional_headers={HEADER: forged}) as client:
        exchange(client)
        assert engine.core.received[0][1].remote == client.local_address


def test_a_relay_with_another_key_is_not_believed(engine: Served) -> None:
    with (
        Web(engine.ws_port, relay_key("some other installation")) as web,
        pytest.raises(InvalidStatus),
        web.connect(),
    ):
        pass
    assert engine.core.received == []


def test_an_engine_that_is_away_is_told_and_tried_again() -> None:
    with Served(admission=WsAdmission((), (8080,), KEY)) as engine:
        port = engine.ws_port
    with Web(port) as web, pytest.raises(InvalidStatus) as caught, web.connect():
        pass
    assert caught.value.response.status_code == 403


def test_relayed_clients_are_limited(
    engine: Served, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "AT_ONCE", 2)
    with ExitStack() as clients:
        for _ in range(2):
            exchange(clients.enter_context(web.connect()))
        with pytest.raises(InvalidStatus), web.connect():
            pass
    until(lambda: engine.counter("tcp_connections") == 0, "both to be gone")
    with web.connect() as again:
        exchange(again)
