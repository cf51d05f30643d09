"""The broker's decisions: `handle(event, now)` returns facts to record and effects to carry out.

This module is pure: it uses no clock, socket, database, log or randomness. The caller of `handle` must have the facts
on disk before it carries out any effect of the same call.

Because of four rules, the next heartbeat repairs the loss of any single message:
  1. A worker repeats a result until it is acknowledged. Every result of a registered worker is acknowledged, but it
     counts only if that worker holds the lease of that attempt.
  2. A worker whose heartbeat does not mention its lease gets its Start again.
  3. A worker whose heartbeat mentions an attempt other than its lease gets a Stop.
  4. Every answer to a heartbeat repeats the pending order (cancel or stop).
"""

from __future__ import annotations

import hmac

from broker import answers, policy
from broker import facts as f
from broker.claims import checked_result, is_usable_model_of, publish_key
from broker.core_settings import CoreSettings
from broker.events import (
    Effect,
    EndedFound,
    Event,
    FromWeb,
    FromWorker,
    LeftOut,
    ModelFound,
    Now,
    ReadEvents,
    ReadInUse,
    ReadPage,
    Recovered,
    SendWeb,
    SendWorker,
)
from broker.facts import Record
from broker.fleet import Fleet
from broker.releases import why_unfit
from broker.workers import Worker
from protocol import messages as m
from protocol.queries import EventsWanted, InUseWanted, QueueWanted, TasksWanted
from protocol.task import Task, TaskState

#: The shortest time between two snapshots for one front-end. Ours ask at most twice a second.
SNAPSHOT_INTERVAL_S = 0.25
#: The most usable models of one attempt that become facts. Ours publish one; a faulty worker must not fill the journal.
MAX_USABLE_MODELS = 20


class Core(Fleet):
    """Call `recover` once, then `handle` for each event."""

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__(settings)
        self._checked_at_s = 0.0
        self._snapshot_at_s: dict[bytes, float] = {}

    def recover(self, recovered: Recovered, now: Now) -> dict[str, str]:
        """Take over the content of the journal. Returns the reason for each task that had to be left out, by task id.

        No lease expires before its worker has had a full lease_ttl_s, counted from now, to send a message.
        """
        left_out = self._replay(recovered)
        self._checked_at_s = now.monotonic_s
        self.offers.begin(now.monotonic_s)
        self.workers.hear_all(now.monotonic_s)
        return left_out

    # ---- events ----

    def handle(self, event: Event, now: Now) -> tuple[list[Record], list[Effect]]:
        """Return the facts and the effects of one event that happens at `now`."""
        self._records, self._effects, self._now = [], [], now
        if isinstance(event, FromWeb):
            self._from_web(event.peer, event.message)
        elif isinstance(event, FromWorker):
            self._from_worker(event.peer, event.message)
        elif isinstance(event, ModelFound):
            self._model_found(event.progress)
        elif isinstance(event, EndedFound):
            self._promote(event.peer, event.request, event.task)
        else:
            self._expire()
            self.request_keys.forget_old(now.wall_s)
            self._snapshot_at_s = {
                peer: at_s for peer, at_s in self._snapshot_at_s.items() if now.monotonic_s - at_s < SNAPSHOT_INTERVAL_S
            }
        return self._records, self._effects

    def next_deadline(self) -> float | None:
        """The monotonic time at which the next silent worker will be given up. None if there is no worker."""
        oldest = self.workers.oldest()
        return oldest.heard_at_s + self.settings.lease_ttl_s if oldest else None

    def take_progress(self, message: m.KeyedProgress) -> m.Progress | None:
        """Return the progress if front-ends may get it: it is newer, and its sender holds the lease. Otherwise None.

        The newest progress of each task is kept in memory for snapshots. It is never recorded.
        """
        progress = message.progress
        task, holder = self.tasks.get(progress.task_id), self.holders.get(progress.task_id)
        if task is None or holder is None or task.attempt != progress.attempt:
            return None
        if not holder.publish_key or not hmac.compare_digest(holder.publish_key, message.publish_key):
            return None
        if progress.usable is not None and not is_usable_model_of(progress.usable, task.spec):
            return None
        known = self.progress.get(progress.task_id)
        if known is not None and progress.progress < known.progress:
            return None
        self.progress[progress.task_id] = progress
        return progress

    def model_in(self, progress: m.Progress) -> ModelFound | None:
        """The event that is to be handled if this accepted progress names a model that is not yet recorded."""
        task = self.tasks.get(progress.task_id)
        if progress.usable is None or task is None or progress.usable == task.usable:
            return None
        return ModelFound(progress) if self.models_found[task.task_id] < MAX_USABLE_MODELS else None

    def tick(self) -> m.Tick:
        workers = self.workers
        return m.Tick(
            self.seq,
            len(workers),
            workers.warm_count,
            workers.free_count,
            self.waiting.startable,
            draining=workers.draining_count,
            memory_mb=workers.memory_mb,
            pools=self.offers.pools(self._now.monotonic_s),
            overdue=self._overdue(),
            unmet=self._unmet(),
            last_tasks=workers.last_tasks,
        )

    # ---- front-ends ----

    def _from_web(self, peer: bytes, message: m.WebToBroker) -> None:
        match message:
            case m.Submit():
                self._submit(peer, message)
            case m.SnapshotWanted():
                self._snapshot(peer, message.request_id)
            case m.WorkersWanted():
                self._list_workers(peer, message)
            case m.DrainWanted():
                self._drain(peer, message)
            case m.PoolsReported():
                self._report_pools(peer, message)
            case EventsWanted():
                self._effects.append(ReadEvents(peer, message))
            case TasksWanted():
                self._effects.append(ReadPage(peer, message))
            case InUseWanted():
                self._effects.append(ReadInUse(peer, message))
            case QueueWanted():
                self._effects.append(SendWeb(peer, answers.queue_part(message, self.waiting)))
            case m.Promote():
                self._promote_known(peer, message)
            case m.Lookup():
                self._look_up(peer, message)
            case m.Cancel() | m.StopEarly():
                task = self.tasks.get(message.task_id)
                if task is None:
                    self._answer_from_memory_or_journal(peer, message)
                elif isinstance(message, m.Cancel):
                    self._cancel(peer, message.request_id, task)
                else:
                    self._stop_early(peer, message.request_id, task)

    def _cancel(self, peer: bytes, request_id: int, task: Task) -> None:
        if not task.cancel_requested:
            task = self._record(task.task_id, f.CancelRequested(self.percent(task.task_id)))
            if task.state is TaskState.PENDING:
                task = self._record(task.task_id, f.Cancelled(task.attempt, 0.0))
            else:
                self._order_stop(task)
        self._reply(peer, request_id, task)

    def _stop_early(self, peer: bytes, request_id: int, task: Task) -> None:
        if task.state is TaskState.PENDING:
            error = "The task has not started, so there is no model to keep; DELETE it to give it up."
            self._effects.append(SendWeb(peer, m.Refused(request_id, "task_not_started", error, task)))
            return
        if not task.stop_requested:
            task = self._record(task.task_id, f.StopRequested(self.percent(task.task_id)))
            self._order_stop(task)
        self._reply(peer, request_id, task)

    def _order_stop(self, task: Task) -> None:
        holder = self.holders[task.task_id]
        order = policy.pending_order(task)
        if holder.peer is not None and order is not None:
            self._effects.append(SendWorker(holder.peer, order))

    def _snapshot(self, peer: bytes, request_id: int) -> None:
        if peer in self._snapshot_at_s:
            return
        self._snapshot_at_s[peer] = self._now.monotonic_s
        parts = answers.Parts([*self.recent.values(), *self.tasks.values()], answers.SNAPSHOT_PART_TASKS)
        for part in answers.snapshot_parts(request_id, self.seq, parts, self.progress):
            self._effects.append(SendWeb(peer, part))
        self._effects += [LeftOut(task.task_id) for task in parts.too_large]

    # ---- workers ----

    def _model_found(self, progress: m.Progress) -> None:
        """Record the usable model, unless the attempt has ended since its progress was accepted."""
        task = self.tasks.get(progress.task_id)
        is_held = task is not None and task.task_id in self.holders and task.attempt == progress.attempt
        if is_held and progress.usable is not None and self.model_in(progress) is not None:
            self._record(
                progress.task_id, f.ModelUsable(progress.attempt, progress.usable, self.percent(progress.task_id))
            )

    def _from_worker(self, peer: bytes, message: m.WorkerToBroker) -> None:
        worker = self.workers.by_peer(peer)
        if isinstance(message, m.Hello):
            self._hello(peer, message)
            return
        if worker is None:
            # The broker has restarted or the connection is new, so it is not known which worker this is.
            if not isinstance(message, m.Goodbye):
                self._effects.append(SendWorker(peer, m.HelloWanted(self._now.wall_s)))
            return
        self.workers.heard(worker, self._now.monotonic_s)
        match message:
            case m.Result():
                self._result(worker, peer, message)
            case m.Heartbeat():
                worker.draining, worker.devices = message.draining, message.devices
                worker.memory_mb, worker.tasks_done = message.memory_mb, message.tasks_done
                worker.clock_skew_s = message.clock_skew_s
                self._describe(worker, worker.train_types, message.labels)
                self._reconcile(worker, message)
            case m.HelpOver():
                self._help_over(worker, message)
            case m.Goodbye():
                # The worker has sent its results first. If it still holds a task, the Start crossed with this message.
                self._lose(worker, "it left", began=False)

    def _hello(self, peer: bytes, hello: m.Hello) -> None:
        if unfit := why_unfit(hello.versions):
            self._effects.append(SendWorker(peer, m.Rejected(unfit, for_good=True)))
            return
        error = self.workers.why_not_welcome(hello, peer)
        if error:
            self._effects.append(SendWorker(peer, m.Rejected(error)))
            return
        namesake = self.workers.by_name(hello.worker)
        if namesake is not None and namesake.start_id != hello.start_id:
            # A worker's process locks its name on its host, so a later start proves that the old process is dead.
            self._lose(namesake, "it was restarted")
        worker = self.workers.holder(hello.worker, hello.start_id)
        self.workers.set_ready(worker, False)
        worker.host, worker.draining = hello.host, hello.draining
        worker.pool, worker.versions = hello.pool, hello.versions
        self._describe(worker, hello.train_types, hello.labels)
        worker.publish_key = publish_key(self.settings.publish_secret, hello)
        self.workers.attach(worker, peer)
        self.workers.heard(worker, self._now.monotonic_s)
        s = self.settings
        times = (s.heartbeat_interval_s, s.lease_ttl_s)
        welcome = m.Welcome(*times, s.progress_port, worker.publish_key, self._now.wall_s)
        self._effects.append(SendWorker(peer, welcome))
        self._reconcile(worker, hello)

    def _reconcile(self, worker: Worker, said: m.Hello | m.Heartbeat) -> None:
        """Compare what the worker says with the broker's state, and send what corrects a difference."""
        order, holds = None, said.holds
        if holds is not None:
            task = self.tasks.get(holds.task_id)
            is_its_lease = task is not None and worker.task_id == task.task_id and task.attempt == holds.attempt
            if is_its_lease and task is not None:
                order = policy.pending_order(task)
            else:
                order = m.Stop(holds.task_id, holds.attempt, unknown=True)
        elif worker.task_id is not None:
            self._send_start(worker, self.tasks[worker.task_id])
        else:
            self.workers.set_ready(worker, said.ready)
            self._dispatch()
        if isinstance(said, m.Heartbeat):
            self._hear_of_help(worker, said)
        self._pulse(worker, order)

    def _result(self, worker: Worker, peer: bytes, result: m.Result) -> None:
        """Accept the result if the worker holds the attempt. Any other result is only acknowledged."""
        task = self.tasks.get(result.task_id)
        if task is not None and worker.task_id == task.task_id and task.attempt == result.attempt:
            self._end_attempt(task, checked_result(result, task.spec))
        ended = self.recent.get(result.task_id)
        discard = ended is not None and ended.state is TaskState.CANCELLED
        self._effects.append(SendWorker(peer, m.ResultAck(result.task_id, result.attempt, discard)))

    def _expire(self) -> None:
        """Give up the workers that have been silent for too long. Call this after the messages that have arrived.

        If the last call was long ago, the broker itself was paused (SIGSTOP, a suspended machine). It has not yet read
        what the workers sent meanwhile, so all leases start anew.
        """
        now_s = self._now.monotonic_s
        if now_s - self._checked_at_s > self.settings.lease_ttl_s / 2:
            self.workers.hear_all(now_s)
        self._checked_at_s = now_s
        while (oldest := self.workers.oldest()) is not None:
            silent_s = now_s - oldest.heard_at_s
            if silent_s < self.settings.lease_ttl_s:
                return
            self._lose(oldest, f"nothing was heard from it for {silent_s:.0f} s")
