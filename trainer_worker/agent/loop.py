"""The agent's loop: sockets, pipes, timers and signals around the core."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence

import zmq

from conf.curve import ClientKeys
from conf.endpoints import collect_endpoint
from conf.sockets import connect_all, connecting_socket
from protocol import messages as m
from protocol import wire
from protocol.message import Message
from protocol.task import TaskSpec
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.events import (
    AttemptOver,
    BrokerSaid,
    ConnectProgress,
    Discard,
    Event,
    Instruction,
    Leave,
    LeaveOrdered,
    MachineSampled,
    Note,
    Publish,
    Send,
    Spawn,
    Tell,
    Terminate,
    TimePassed,
    TrainerExited,
    TrainerSaid,
)
from trainer_worker.agent.spawned_trainer import ProcessGone, SpawnedTrainer, rss_mb

log = logging.getLogger("worker")

HIGH_WATER_MARK = 1000
MEMORY_SAMPLE_INTERVAL_S = 1.0
#: How long a result or a goodbye may still take to go out when the agent ends.
LINGER_MS = 500


class Agent:
    """Carries out what the core decides."""

    def __init__(
        self,
        core: AgentCore,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoints: Sequence[str],
        keys: ClientKeys | None,
        spawn: Callable[[], SpawnedTrainer],
    ) -> None:
        """endpoints: all brokers' sockets for workers. keys: None at a Unix socket. spawn: starts a trainer process."""
        self._core = core
        self._endpoints = endpoints
        self._spawn = spawn
        self._keys = keys
        self._context = context
        self._dealer = self._socket(zmq.DEALER)
        connect_all(self._dealer, endpoints)
        self._publisher: zmq.Socket[bytes] | None = None
        self._progress_port: int | None = None
        self._trainers: dict[int, SpawnedTrainer] = {}
        self._leaving = False
        #: Told of every attempt that has ended, if traces are kept.
        self.attempt_over: Callable[[AttemptOver], None] | None = None
        #: Removes what a cancelled task has left.
        self.discard: Callable[[TaskSpec], None] = lambda spec: None
        self._next_sample_s = 0.0
        self._poller = zmq.Poller()
        self._poller.register(self._dealer, zmq.POLLIN)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(self._wake_read, zmq.POLLIN)

    def leave_on_signal(self, *_: object) -> None:
        """Handle SIGTERM and SIGINT: wake the loop, which hands back what it holds and ends."""
        os.write(self._wake_write, b"!")

    def run(self) -> str:
        """Run until told to leave. No trainer process is left behind.

        Returns why the broker has refused this worker for good, or "" if it was told to leave in another way.
        """
        try:
            self._handle(TimePassed())
            while not self._leaving:
                self._round()
        finally:
            for trainer in self._trainers.values():
                trainer.terminate(force=True)
                trainer.end()
            self._context.destroy(linger=LINGER_MS)
        return self._core.refused

    def _round(self) -> None:
        wait_s = self._core.next_deadline() - time.monotonic()
        ready = dict(self._poller.poll(max(0, int(wait_s * 1000) + 1)))
        if self._wake_read in ready:
            os.read(self._wake_read, 64)
            self._handle(LeaveOrdered())
        if self._dealer in ready:
            self._receive()
        for number, trainer in list(self._trainers.items()):
            if trainer.fileno() in ready:
                self._read_trainer(number, trainer)
        self._sample_memory()
        self._handle(TimePassed())

    def _handle(self, event: Event) -> None:
        for instruction in self._core.handle(event, time.monotonic()):
            self._carry_out(instruction)

    def _receive(self) -> None:
        while True:
            try:
                frames = self._dealer.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                message = wire.decode(frames, m.BrokerToWorker)
            except wire.WireError as error:
                log.warning("action=worker.bad_frame reason=%r", str(error))
                continue
            self._handle(BrokerSaid(message))

    def _read_trainer(self, number: int, trainer: SpawnedTrainer) -> None:
        try:
            for message in trainer.messages():
                self._handle(TrainerSaid(number, message))
        except (ProcessGone, wire.WireError):
            self._poller.unregister(trainer.fileno())
            del self._trainers[number]
            self._handle(TrainerExited(number, trainer.end()))

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Send():
                self._send(self._dealer, instruction.message)
            case Publish():
                if self._publisher is not None:
                    self._send(self._publisher, instruction.message)
            case ConnectProgress():
                self._connect_progress(instruction.port)
            case Spawn():
                trainer = self._spawn()
                self._trainers[instruction.number] = trainer
                self._poller.register(trainer.fileno(), zmq.POLLIN)
                log.info("action=trainer.spawned number=%d pid=%d", instruction.number, trainer.pid)
            case Tell():
                self._trainers[instruction.number].tell(instruction.message)
            case Terminate():
                if instruction.number in self._trainers:
                    self._trainers[instruction.number].terminate(instruction.force)
            case Discard():
                self.discard(instruction.spec)
            case AttemptOver():
                if self.attempt_over is not None:
                    self.attempt_over(instruction)
            case Leave():
                self._leaving = True
            case Note():
                log.info(instruction.template, *instruction.values)

    def _send(self, socket: zmq.Socket[bytes], message: Message) -> None:
        # The broker is away. Everything that matters is sent again with a later heartbeat.
        with contextlib.suppress(zmq.Again):
            socket.send_multipart(wire.encode(message), zmq.NOBLOCK)

    def _connect_progress(self, port: int) -> None:
        """Publish at the broker that sent the Welcome. It is the only one that listens, so the others get nothing."""
        if port == self._progress_port:
            return
        if self._publisher is not None:
            self._publisher.close()
        self._publisher = self._socket(zmq.PUB)
        connect_all(self._publisher, [collect_endpoint(endpoint, port) for endpoint in self._endpoints])
        self._progress_port = port

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        return connecting_socket(self._context, kind, self._keys, HIGH_WATER_MARK, LINGER_MS)

    def _sample_memory(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_sample_s:
            self._next_sample_s = now_s + MEMORY_SAMPLE_INTERVAL_S
            memory_mb = rss_mb(os.getpid()) + sum(trainer.sample_memory() for trainer in self._trainers.values())
            self._handle(MachineSampled(memory_mb, time.time()))


def catch_signals(agent: Agent) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, agent.leave_on_signal)
