"""The broker's loop: receive messages, let the core decide, record the facts, then send the answers.

    wait → receive up to DRAIN_MESSAGES → core.handle each → append all facts in one commit → send

A round sends nothing before its commit. If the commit fails, the process ends: its state is then ahead of the journal,
and the next start replays the journal. A round that has nothing to commit sends nothing before it is sure that this
broker still leads.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from broker.answers import Parts, about_ended
from broker.core import Core
from broker.events import (
    Effect,
    EndedFound,
    Event,
    FromWeb,
    FromWorker,
    LeftOut,
    Now,
    Publish,
    ReadEnded,
    ReadEvents,
    ReadInUse,
    ReadPage,
    SendWeb,
    SendWorker,
    TimePassed,
)
from broker.facts import Record, attempt_of
from broker.journal import Journal
from broker.journal_reader import JournalReader
from broker.publisher import Publisher
from broker.releases import why_other_version
from broker.request_keys import REQUEST_KEY_TTL_S
from broker.scrub import Scrub
from broker.tally import Tally
from protocol import messages as m
from protocol import wire
from protocol.message import Message

log = logging.getLogger("broker")

DRAIN_MESSAGES = 500
PUBLISHED_CHANGES = 1000
#: A plain number, because combining pyzmq's enum members takes as long as sending a small message.
NOBLOCK = int(zmq.NOBLOCK)
TICK_INTERVAL_S = 1.0
#: However many subscribers come, there are no two ticks within this time.
SHORTEST_TICK_INTERVAL_S = 0.05
PRUNE_INTERVAL_S = 600.0
DAY_S = 86400.0


class Sockets(msgspec.Struct):
    """The four bound sockets: two ROUTERs, an XPUB, and the SUB that collects what workers publish."""

    web: zmq.Socket[bytes]
    worker: zmq.Socket[bytes]
    publish: Publisher
    collect: zmq.Socket[bytes]


class Shell:
    """Owns the sockets, the clock and the journal. The core makes all decisions."""

    def __init__(self, core: Core, journal: Journal, sockets: Sockets, keep_days: float, tally: Tally) -> None:
        self._core = core
        self._journal = journal
        self._reader = JournalReader(journal.open_view)
        self._scrub = Scrub(journal.open_view)
        self._sockets = sockets
        self._keep_s = keep_days * DAY_S
        self._tally = tally
        self._named_too_large: set[str] = set()
        self._stopping = False
        #: What the core has asked the journal for, to be handled in the next round.
        self._found: list[EndedFound] = []
        self._started_at_s = time.time()
        self._leader = platform.node() if journal.term else ""
        self._last_tick_s = self._next_tick_s = 0.0
        self._next_prune_s = 0.0
        self._poller = zmq.Poller()
        for socket in (sockets.web, sockets.worker, sockets.publish.socket, sockets.collect):
            self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._reader.fileno(), zmq.POLLIN)
        # A signal does not end ZeroMQ's poll, which Python takes up again.
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(self._wake_read, zmq.POLLIN)

    def stop(self) -> None:
        """End the loop after the current round. A signal handler may call this."""
        self._stopping = True
        with contextlib.suppress(OSError):  # It is not the first signal: the loop has ended.
            os.write(self._wake_write, b"!")

    def run(self) -> None:
        """Replay the journal, then serve until `stop`. After a JournalError the caller must end the process."""
        self._replay()
        self._scrub.start()
        try:
            self._serve()
        finally:
            self._scrub.close()
            self._reader.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _serve(self) -> None:
        while not self._stopping:
            ready = dict(self._poller.poll(self._wait_ms()))
            if self._sockets.publish.socket in ready:
                self._read_subscriptions()
            if self._reader.fileno() in ready:
                self._journal.confirm()
                for answer in self._reader.answers():
                    self._send(self._sockets.web, answer.peer, answer.message)
            events: list[Event] = [*self._found]
            self._found.clear()
            if self._sockets.collect in ready:
                self._pass_progress_on(events)
            if self._sockets.worker in ready:
                self._drain(self._sockets.worker, m.WorkerToBroker, FromWorker, events)
            if self._sockets.web in ready:
                self._drain(self._sockets.web, m.WebToBroker, FromWeb, events)
            self._round([*events, TimePassed()])
            self._housekeeping()

    def _replay(self) -> None:
        began_s = time.monotonic()
        recovered = self._journal.recovered(self._core.settings.recent_tasks, time.time() - REQUEST_KEY_TTL_S)
        for task_id, error in self._core.recover(recovered, _now()).items():
            log.error("action=journal.task_left_out task=%r reason='its facts do not fit: %s'", task_id, error)
        log.info(
            "action=broker.replayed live_tasks=%d seq=%d seconds=%.2f",
            len(self._core.tasks),
            self._core.seq,
            time.monotonic() - began_s,
        )

    def _wait_ms(self) -> int:
        """How long to wait for messages: until the next tick or the end of the next lease.

        It is at most a quarter of a lease, because the core takes a longer interval for a pause of this process.
        """
        if self._found:
            return 0
        now_s = time.monotonic()
        until_s = min(self._next_tick_s, now_s + self._core.settings.lease_ttl_s / 4)
        deadline_s = self._core.next_deadline()
        if deadline_s is not None:
            until_s = min(until_s, deadline_s)
        return max(0, int((until_s - now_s) * 1000) + 1)

    def _drain(
        self, socket: zmq.Socket[bytes], union: Any, wrap: Callable[[bytes, Any], Event], out: list[Event]
    ) -> None:
        for _ in range(DRAIN_MESSAGES):
            try:
                peer, *frames = socket.recv_multipart(NOBLOCK)
            except zmq.Again:
                return
            try:
                out.append(wrap(peer, wire.decode(frames, union)))
            except wire.WireError as error:
                self._tally.add("broker.bad_frame", error)
                self._answer_unread(socket, peer, frames, error)

    def _answer_unread(
        self, socket: zmq.Socket[bytes], peer: bytes, frames: list[bytes], error: wire.WireError
    ) -> None:
        """Say why a message was not read, as far as the peer can understand it. Otherwise it would repeat the message.

        A front-end is told which field of its request is bad. A peer of another version is told so in its own version.
        """
        version = error.version if isinstance(error, wire.OtherVersionError) else wire.VERSION
        if socket is self._sockets.web:
            request_id = wire.request_id_of(frames)
            if request_id is not None:
                # Another version is no fault of the caller, who may try again when both are of one release.
                code = "bad_fields" if version == wire.VERSION else "broker_away"
                answer = m.Refused(request_id, code, f"The broker does not take the request: {error}.")
                self._send(socket, peer, answer, version)
        elif version != wire.VERSION:
            self._send(socket, peer, m.Rejected(why_other_version(version), for_good=True), version)

    def _round(self, events: list[Event]) -> None:
        """Handle all events, record their facts in one commit (group commit), then carry out the effects."""
        records: list[Record] = []
        effects: list[Effect] = []
        now = _now()
        for event in events:
            event_records, event_effects = self._core.handle(event, now)
            records += event_records
            effects += event_effects
        changes = [effect.change for effect in effects if isinstance(effect, Publish)]
        if records:
            # The last change of each task counts. The core may no longer have a task, if very many ended at once.
            self._journal.append(records, {change.task.task_id: change.task for change in changes}.values())
        # This process may have been stopped meanwhile, and another broker may lead.
        self._journal.confirm()
        for effect in effects:
            self._carry_out(effect)
        parts = Parts(changes, PUBLISHED_CHANGES)
        for part in parts.lists:
            self._sockets.publish.send(m.TasksChanged(tuple(part)))
        for change in parts.too_large:
            self._name_too_large(change.task.task_id)
        for record, change in zip(records, changes, strict=True):
            log_record(record, change.task.spec.request_id)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SendWeb():
                self._send(self._sockets.web, effect.peer, effect.message)
            case SendWorker():
                self._send(self._sockets.worker, effect.peer, effect.message)
            case LeftOut():
                self._name_too_large(effect.task_id)
            case ReadEnded(peer, request):
                task = self._journal.task(request.task_id)
                if isinstance(request, m.Promote):
                    self._found.append(EndedFound(peer, request, task))
                else:
                    self._send(self._sockets.web, peer, about_ended(request, task, self._core.seq))
            case ReadEvents() | ReadPage() | ReadInUse():
                if not self._reader.ask(effect):
                    self._tally.add("broker.read_dropped", "too many requests for lists or past events")

    def _send(self, socket: zmq.Socket[bytes], peer: bytes, message: Message, version: bytes = wire.VERSION) -> None:
        """Send to a peer that may be gone. The protocol repeats what gets lost here."""
        frames = wire.encode(message, version)
        if len(frames[1]) > wire.MAX_PAYLOAD_BYTES:
            self._tally.add("broker.unsent", f"a {type(message).__name__} of {len(frames[1])} bytes")
            return
        try:
            socket.send_multipart([peer, *frames], NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            self._tally.add("broker.unsent", f"{type(message).__name__}: {error}")

    def _name_too_large(self, task_id: str) -> None:
        if task_id not in self._named_too_large:
            self._named_too_large.add(task_id)
            log.warning("action=broker.task_left_out task=%s reason='its record is too large to be sent'", task_id)

    def _read_subscriptions(self) -> None:
        publisher, old = self._sockets.publish, self._sockets.publish.socket
        if publisher.read_subscriptions(DRAIN_MESSAGES):
            # Until its first tick, a front-end says that the broker is away.
            self._next_tick_s = min(self._next_tick_s, self._last_tick_s + SHORTEST_TICK_INTERVAL_S)
        if publisher.socket is not old:
            self._poller.unregister(old)
            self._poller.register(publisher.socket, zmq.POLLIN)

    def _pass_progress_on(self, out: list[Event]) -> None:
        """Publish the progress that the core accepts, as a message of the broker's own. Count and drop the rest.

        out: gets an event for each usable model that a worker names for the first time.
        """
        for _ in range(DRAIN_MESSAGES):
            try:
                frames = self._sockets.collect.recv_multipart(NOBLOCK)
            except zmq.Again:
                return
            try:
                message = wire.decode(frames, m.Collected)
            except wire.WireError as error:
                self._tally.add("broker.bad_frame", error)
                continue
            progress = self._core.take_progress(message)
            if progress is not None:
                self._sockets.publish.send(progress)
                found = self._core.model_in(progress)
                if found is not None:
                    out.append(found)
            else:
                reason = "not from the worker that holds the attempt, or older than what was published"
                self._tally.add("broker.progress_dropped", reason)

    def _tick(self) -> m.Tick:
        """The core's figures, with those that only this process knows."""
        return msgspec.structs.replace(
            self._core.tick(),
            started_at_s=self._started_at_s,
            dropped=self._tally.counts,
            term=self._journal.term,
            leader=self._leader,
        )

    def _housekeeping(self) -> None:
        now_s = time.monotonic()
        self._scrub.refuse_broken()
        if now_s >= self._next_tick_s:
            self._last_tick_s, self._next_tick_s = now_s, now_s + TICK_INTERVAL_S
            self._sockets.publish.send(self._tick())
            self._tally.flush()
        if now_s >= self._next_prune_s:
            pruned = self._journal.prune(time.time() - self._keep_s)
            self._next_prune_s = now_s + (TICK_INTERVAL_S if pruned else PRUNE_INTERVAL_S)
            if pruned:
                log.info("action=journal.pruned tasks=%d", pruned)


def log_record(record: Record, request_id: str) -> None:
    """Log a fact as one line with fixed keys. request_id: of the call that posted the task."""
    fact = record.fact
    name = type(fact).__name__.lower()
    worker = getattr(fact, "worker", None) or getattr(getattr(fact, "end", None), "worker", "")
    reason = getattr(getattr(fact, "end", None), "error", "")
    log.info(
        "action=task.%s task=%s attempt=%s worker=%s seq=%d request=%s reason=%r",
        name,
        record.task_id,
        attempt_of(fact) or "",
        worker,
        record.seq,
        request_id,
        reason,
    )


def _now() -> Now:
    return Now(time.monotonic(), time.time())
