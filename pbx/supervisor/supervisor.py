"""Start the whole PBX in order, keep it running, stop it in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from pbx.environment import PROJECT, Environment, loopback_of
from pbx.supervisor import commands, data_dir, parts, readiness
from pbx.supervisor.death import dies_with_parent
from pbx.supervisor.identity import Identity, popen_arguments, service_identity
from pbx.supervisor.part import Part, PartPlan, StartFailed
from pbx.supervisor.placement import parts_identity
from pbx.supervisor.ports import Port, check_free, listen
from pbx.supervisor.shared_port import SharedPort

_ALL_WELL_DEADLINE: Final = 15.0
_PREPARE_DEADLINE: Final = 300.0  # seconds; a large table may be rewritten by an upgrade


def say(line: str) -> None:
    """Progress, for the person who started it."""
    _print(line, sys.stdout)


def warn(line: str) -> None:
    """What an operator may have to act on."""
    _print(line, sys.stderr)


def _print(line: str, where: TextIO) -> None:
    try:
        print(line, file=where, flush=True)
    except BrokenPipeError:  # whoever read along has left; the phones have not
        return


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the preparation of the database found or made. Secrets are told once, then forgotten."""

    domain: str
    admin_password: str | None = None
    demo: list[tuple[str, str | None]] = field(default_factory=list)
    new_authority: bool = False


class Supervisor:
    """One PBX: `run` returns when it was told to stop and everything has ended."""

    def __init__(self, environment: Environment, only: list[str], *, demo: bool) -> None:
        self._environment = environment
        self._names = parts.chosen(only, environment)
        self._only = bool(only)
        self._demo = demo
        self._stages: list[list[Part]] = []
        self._doors: dict[str, list[socket.socket]] = {}
        self._shared: SharedPort | None = None
        self._told_to_stop = asyncio.Event()  # made outside a loop: bound to it at first use

    async def run(self) -> None:
        """Start, serve, stop. Raises what its callees say went wrong, with nothing left running."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_stop.set)
        try:
            starting = asyncio.create_task(self._start())
            stopping = asyncio.create_task(self._told_to_stop.wait())
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await starting
            else:
                await starting
            await stopping
            say("Stopping …")
        finally:
            await self._stop()
        say("Stopped.")

    async def _start(self) -> None:
        environment = self._environment
        self._take_ports()
        servers = service_identity()
        placement = parts_identity(environment, servers)
        data_dir.furnish(environment, servers, placement.identity)
        say(f"Branchline starts; its data is in {environment.data_dir}")
        if placement.why_root:
            warn(f"The parts run as root: {placement.why_root}.")
        await self._start_stage(await self._servers(servers))
        prepared = await self._prepare(placement.identity)
        _tell_secrets(prepared)
        await self._start_stage(self._python_parts(placement.identity))
        await self._start_stage(self._engine_workers(placement.identity))
        await self._see_all_well()
        if prepared.new_authority and "web" in self._names:
            self._tell_authority()
        self._tell_ready(prepared.domain)

    def _take_ports(self) -> None:
        """Find a taken port before anything runs; what is handed down is taken here and stays open:
        the web's, and SIP's over UDP if several processes share it."""
        environment = self._environment
        sip = [
            Port("PBX_SIP_PORT", environment.sip_port, kind)
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        ]
        sip += [
            Port("PBX_SIPS_PORT", environment.sips_port, socket.SOCK_STREAM),
            Port("PBX_WS_PORT", environment.ws_port, socket.SOCK_STREAM),
        ]
        for port in sip if "engine" in self._names else []:
            for bind in environment.binds:
                check_free(bind, port)
        if "engine" in self._names and environment.engine_workers > 1:
            self._shared = SharedPort(environment.binds, sip[0], environment.engine_workers, warn)
        if "gateway" in self._names:
            first = environment.rtp_ports[0]
            for number in (first, first + 1):
                for bind in environment.binds:
                    check_free(bind, Port("PBX_RTP_PORTS", number, socket.SOCK_DGRAM))
        if "web" in self._names:
            for variable, number in (
                ("PBX_HTTP_PORT", environment.http_port),
                ("PBX_HTTPS_PORT", environment.https_port),
            ):
                port = Port(variable, number, socket.SOCK_STREAM)
                self._doors[variable] = [listen(bind, port) for bind in environment.binds]

    async def _servers(self, identity: Identity | None) -> list[PartPlan]:
        plans = []
        if "postgres" in self._names:
            cluster = data_dir.cluster_of(self._environment, identity)
            if not cluster.is_initialised:
                say("  making the database …")
            await asyncio.to_thread(cluster.stop)  # a server that a killed supervisor left
            await asyncio.to_thread(cluster.initialise)
            plans.append(parts.postgres(self._environment, cluster))
        if "valkey" in self._names:
            plans.append(parts.valkey(self._environment, identity))
        elif self._environment.redis_is_embedded:
            # One that a kill left behind would have the engine send its hints to nobody.
            (self._environment.run_dir / "valkey.sock").unlink(missing_ok=True)
        return plans

    def _python_parts(self, identity: Identity | None) -> list[PartPlan]:
        environment = self._environment
        plans = []
        for name in self._names:
            match name:
                case "engine":
                    plans.append(parts.engine(environment, identity, self._sockets_of(0)))
                case "gateway":
                    plans.append(parts.gateway(environment, identity))
                case "web":
                    plans.append(parts.web(environment, identity, *self._doors.values()))
                case "worker":
                    plans.append(parts.worker(environment, identity))
                case "beat":
                    plans.append(parts.beat(environment, identity))
        return plans

    def _engine_workers(self, identity: Identity | None) -> list[PartPlan]:
        """The engine's processes but the first, which they look for when they start."""
        environment = self._environment
        return [
            parts.engine_worker(environment, identity, number, self._sockets_of(number))
            for number in range(1, environment.engine_workers if self._shared else 1)
        ]

    def _sockets_of(self, number: int) -> dict[str, int]:
        return self._shared.descriptors(number) if self._shared else {}

    async def _start_stage(self, plans: list[PartPlan]) -> None:
        """Start these parts at once and wait until all are ready."""
        stage = [Part(plan, warn) for plan in plans]
        self._stages.append(stage)
        await asyncio.gather(*(self._start_part(part) for part in stage))

    async def _start_part(self, part: Part) -> None:
        took = await part.start()
        say(f"  {part.plan.name:<9} ready after {took:.1f} s")

    async def _see_all_well(self) -> None:
        """Wait until /healthz says that the parts see each other too.

        Each has answered by itself already, so what is late now does not stop the start.
        """
        if self._only or "web" not in self._names:
            return
        environment = self._environment
        host = loopback_of(environment.bind)
        try:
            async with asyncio.timeout(_ALL_WELL_DEADLINE):
                while True:
                    if await readiness.web_answers(host, environment.http_port, path="/healthz"):
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            warn(
                f"Not all parts are well yet; http://{host}:{environment.http_port}/healthz tells which."
            )

    async def _prepare(self, identity: Identity | None) -> Prepared:
        """Bring the database to this version's schema and make what a first start needs.

        In a process of its own: Django's memory goes with it.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *commands.PREPARE,
            *(["--demo"] if self._demo else []),
            cwd=PROJECT,
            env=parts.child_variables(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
            preexec_fn=dies_with_parent(signal.SIGKILL),
            **popen_arguments(identity),
        )
        try:
            async with asyncio.timeout(_PREPARE_DEADLINE):
                said, complained = await process.communicate()
        except TimeoutError:
            raise StartFailed(
                f"the database could not be prepared in {_PREPARE_DEADLINE:.0f} s; "
                "look for a transaction that locks its tables"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise StartFailed(complained.decode(errors="replace").strip() or "preparation failed")
        facts: dict[str, Any] = json.loads(said)
        demo = [(number, password) for number, password in facts["demo"]]
        return Prepared(facts["domain"], facts["admin_password"], demo, facts["new_authority"])

    def _tell_authority(self) -> None:
        say(
            "A certificate authority of this installation was made. For browsers and phones to trust "
            f"it: {self._origin('http', self._environment.http_port)}/certificate/"
        )

    def _origin(self, scheme: str, port: int) -> str:
        address = self._environment.advertised_address
        return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}"

    def _tell_ready(self, domain: str) -> None:
        environment = self._environment
        if not environment.guard:
            warn("PBX_GUARD=off: rate limits and bans are switched off; for load tests only.")
        address = environment.advertised_address
        host = f"[{address}]" if ":" in address else address
        words = ["READY"]
        if "web" in self._names:
            words.append(f"http={self._origin('http', environment.http_port)}")
            words.append(f"https={self._origin('https', environment.https_port)}")
        if "engine" in self._names:
            words.append(f"sip={host}:{environment.sip_port}")
        say(" ".join([*words, f"domain={domain}"]))

    async def _stop(self) -> None:
        for stage in reversed(self._stages):
            await asyncio.gather(*(part.stop() for part in reversed(stage)))
        for door in self._doors.values():
            for opened in door:
                opened.close()
        if self._shared is not None:
            self._shared.close()
        data_dir.clear_run_dir(self._environment)


def _tell_secrets(prepared: Prepared) -> None:
    """Print what is stored nowhere, at once: a start that fails later must not lose it."""
    if prepared.admin_password:
        say(
            f"First start: log in as admin with the one-time password {prepared.admin_password} "
            "(you will choose your own then)"
        )
    for number, password in prepared.demo:
        if password:
            say(f"Demo extension {number}: password {password}")
        else:
            say(f"Demo extension {number} is there already; its password stays as it was")
