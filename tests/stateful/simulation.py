"""The broker's core and real agent cores on a simulated network, journal and clock.

Messages wait in a bag until a test delivers one, delivers it twice, or drops it; the broker may crash between its
decision and its commit, or between its commit and its sends; workers boot, die, sleep and come back. Nothing here is
random or timed: a test (Hypothesis, or a seeded generator) makes each choice.
"""

from __future__ import annotations

from collections import Counter

from broker.answers import about_ended
from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import (
    EndedFound,
    Event,
    FromWeb,
    FromWorker,
    Now,
    ReadEnded,
    Recovered,
    SendWeb,
    SendWorker,
    TimePassed,
)
from broker.facts import ArtifactReady, Cancelled, Done, Failed, Leased, ModelPromoted, ModelUsable, Record
from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.artifact import Artifact, UsableModel
from protocol.errors import FAILURE_CODES, Failure
from protocol.labels import satisfy
from protocol.options import OptionValue
from protocol.task import Task, TaskSpec, TaskState, Trained
from tests.stateful.simulated_parts import Envelope, SimTrainer, SimWorker, check_help
from trainer_worker.agent import events as agent
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.settings import AgentSettings

ARTIFACTS = (Artifact("model.tflite", 9, "a" * 64), Artifact("labels.txt", 5, "b" * 64))
SETTINGS = CoreSettings(max_pending=50, recent_tasks=10_000, data_roots=("/",))
WEB_PEER = b"web"
#: The workers that have what some tasks need.
WITH_GPU = ("w1", "new")


class Simulation:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.journal: list[Record] = []
        self.network: list[Envelope] = []
        self.workers: dict[str, SimWorker] = {}
        self.promised: set[str] = set()
        self.cancel_promised: set[str] = set()
        self.trained_by: Counter[str] = Counter()
        self._peers = 0
        self._starts = 0
        self._request_ids = 0
        self._stale_task = ""
        self._ended_in_journal: dict[str, Task] = {}
        self.broker = self._start_broker()

    # ---- broker ----

    def _start_broker(self) -> Core:
        core = Core(SETTINGS)
        assert core.recover(Recovered(self.journal), self._now()) == {}
        return core

    def _now(self) -> Now:
        return Now(self.now_s, self.now_s)

    def broker_handles(self, event: Event, crash: str = "") -> None:
        """crash: "before_commit" or "after_commit" ends the broker there and starts it anew."""
        records, effects = self.broker.handle(event, self._now())
        if crash == "before_commit":
            self.restart_broker()
            return
        for record in records:
            self._check_record(record)
            if isinstance(record.fact, Leased):
                holder = self.broker.holders.get(record.task_id)
                assert holder is None or not holder.takes_no_task, f"a draining worker got {record}"
                task = self.broker.tasks.get(record.task_id)
                assert holder is None or task is None or satisfy(holder.labels, task.spec.needs), f"misplaced: {record}"
        self.journal += records
        if crash == "after_commit":
            self.restart_broker()
            return
        for effect in effects:
            match effect:
                case SendWorker():
                    self.network.append(Envelope(effect.peer, effect.message, to_broker=False))
                case SendWeb():
                    self._web_receives(effect.message)
                case ReadEnded(peer, m.Promote() as request):
                    self.broker_handles(EndedFound(peer, request, self._ended_in_journal.get(request.task_id)))
                case ReadEnded(_, m.Lookup() | m.Cancel() | m.StopEarly() as request):
                    task = self._ended_in_journal.get(request.task_id)
                    self._web_receives(about_ended(request, task, self.broker.seq))

    def _check_record(self, record: Record) -> None:
        assert record.task_id != self._stale_task, f"a stale result gave {record}"
        if isinstance(record.fact, ModelPromoted):
            self._ended_in_journal[record.task_id] = self.broker.recent[record.task_id]
        if isinstance(record.fact, Done | Failed | Cancelled):
            assert record.task_id not in self._ended_in_journal, f"{record.task_id} ended twice"
            self._ended_in_journal[record.task_id] = self.broker.recent[record.task_id]

    def restart_broker(self) -> None:
        """Kill -9 and start: memory is what the journal says; every connection is new."""
        self.broker = self._start_broker()
        self.network = [envelope for envelope in self.network if envelope.to_broker]
        for worker in self.workers.values():
            old = worker.peer
            worker.peer = self._new_peer()
            for envelope in self.network:
                if envelope.peer == old:
                    envelope.peer = worker.peer  # Still queued in the worker's socket.

    def _web_receives(self, message: m.BrokerToWeb) -> None:
        """What a caller was told is true on disk; checked the moment it is sent."""
        assert not isinstance(message, m.Refused) or message.code != "bad_fields", message
        if isinstance(message, m.TaskReply):
            in_journal = {record.task_id for record in self.journal}
            assert message.task.task_id in in_journal, "answered before commit"
            self.promised.add(message.task.task_id)
            if message.task.cancel_requested:
                self.cancel_promised.add(message.task.task_id)

    # ---- callers ----

    def submit(self, user: str, priority: int, crash: str = "", task_id: str = "", needs: tuple[str, ...] = ()) -> str:
        """A task with priority 1 may have one helper, one with priority 2 may have two."""
        task_id = task_id or f"t{len(self.promised)}-{self._next_request()}"
        options: dict[str, OptionValue] = {"needs": list(needs), "workers": 1 + priority, "priority": priority}
        spec = TaskSpec(task_id, user, "p", "/p", "/p", "classification", options, priority)
        self.broker_handles(FromWeb(WEB_PEER, m.Submit(self._next_request(), spec)), crash)
        return task_id

    def cancel(self, task_id: str, crash: str = "") -> None:
        self.broker_handles(FromWeb(WEB_PEER, m.Cancel(self._next_request(), task_id)), crash)

    def stop_early(self, task_id: str) -> None:
        self.broker_handles(FromWeb(WEB_PEER, m.StopEarly(self._next_request(), task_id)))

    def promote(self, task_id: str, crash: str = "") -> None:
        """A person chooses the task's model, and the message arrives twice."""
        known = self._ended_in_journal.get(task_id)
        message = m.Promote(self._next_request(), task_id, known.promoted_at_s if known else 0.0)
        self.broker_handles(FromWeb(WEB_PEER, message), crash)
        recorded = len(self.journal)
        self.broker_handles(FromWeb(WEB_PEER, message))
        assert crash == "before_commit" or len(self.journal) == recorded, "recorded twice"

    def drain(self, name: str, on: bool, hand_back: bool = False) -> None:
        """An operator asks for it; from then on this run of the broker must give that worker no task."""
        self.broker_handles(FromWeb(WEB_PEER, m.DrainWanted(self._next_request(), name, on, hand_back)))

    def _next_request(self) -> int:
        self._request_ids += 1
        return self._request_ids

    # ---- network ----

    def deliver(self, index: int, copies: int = 1, crash: str = "") -> None:
        """Take message `index` out of the bag and deliver it `copies` times (0: it is lost)."""
        envelope = self.network.pop(index)
        for copy in range(copies):
            if envelope.to_broker:
                assert isinstance(envelope.message, m.Hello | m.Heartbeat | m.Result | m.HelpOver | m.Goodbye)
                self._expect_no_end_by(envelope.peer, envelope.message)
                self.broker_handles(FromWorker(envelope.peer, envelope.message), crash if copy == 0 else "")
                self._stale_task = ""
            else:
                self._worker_receives(envelope)

    def stranger_says(self, message: m.WorkerToBroker) -> None:
        """A peer that has never said Hello speaks to the worker's socket."""
        self._expect_no_end_by(b"stranger", message)
        self.broker_handles(FromWorker(b"stranger", message))
        self._stale_task = ""

    def _expect_no_end_by(self, peer: bytes, message: object) -> None:
        """Note which task must not end now: only the result of the attempt's holder changes anything."""
        self._stale_task = ""
        if isinstance(message, m.Result):
            task, holder = self.broker.tasks.get(message.task_id), self.broker.holders.get(message.task_id)
            if task is not None and (holder is None or holder.peer != peer or task.attempt != message.attempt):
                self._stale_task = message.task_id

    def run_smoothly(self, rounds: int) -> None:
        """A while in which nothing goes wrong: messages arrive in order, trainer processes load."""
        for _ in range(rounds):
            for _ in range(len(self.network)):
                self.deliver(0)
            for worker in list(self.workers.values()):
                for number, trainer in list(worker.trainers.items()):
                    if not trainer.ready and not worker.asleep:
                        self.trainer_loads(worker, number)
            self.advance(0.6)

    def _worker_receives(self, envelope: Envelope) -> None:
        worker = next((w for w in self.workers.values() if w.peer == envelope.peer), None)
        if worker is None:
            return
        if worker.asleep:
            self.network.append(envelope)
            return
        self.worker_handles(worker, agent.BrokerSaid(envelope.message))  # type: ignore[arg-type]

    def advance(self, seconds: float) -> None:
        """Time passes for the broker and for every worker that is awake."""
        self.now_s += seconds
        self.broker_handles(TimePassed())
        for worker in list(self.workers.values()):
            if not worker.asleep:
                self.worker_handles(worker, agent.TimePassed())

    # ---- workers ----

    def boot_worker(self, name: str) -> None:
        """Start a worker; an older one of that name is dead first (its name is locked on its machine)."""
        self.workers.pop(name, None)
        self._starts += 1
        labels = {"gpu": "a100"} if name in WITH_GPU else {}
        settings = AgentSettings(name, f"start{self._starts:04}", "host", ("classification",), labels=labels)
        worker = SimWorker(name, AgentCore(settings), self._new_peer())
        self.workers[name] = worker
        self.worker_handles(worker, agent.TimePassed())

    def kill_worker(self, name: str) -> None:
        del self.workers[name]

    def _new_peer(self) -> bytes:
        self._peers += 1
        return f"peer{self._peers}".encode()

    def order_to_leave(self, worker: SimWorker) -> None:
        """SIGTERM."""
        worker.leaving = True
        self.worker_handles(worker, agent.LeaveOrdered())

    def worker_handles(self, worker: SimWorker, event: agent.Event) -> None:
        for instruction in worker.core.handle(event, self.now_s):
            self._carry_out(worker, instruction)

    def _carry_out(self, worker: SimWorker, instruction: agent.Instruction) -> None:
        match instruction:
            case agent.Send():
                self.network.append(Envelope(worker.peer, instruction.message, to_broker=True))
            case agent.Publish():
                self._publish(instruction.message)
            case agent.Spawn():
                worker.trainers[instruction.number] = SimTrainer()
            case agent.Tell(number=number, message=piped.Train() as train):
                trainer = worker.trainers[number]
                assert trainer.training is None, "two tasks in one trainer process"
                assert trainer.helping is None, "a task in a trainer process that helps"
                trainer.training, trainer.halted = train, False
            case agent.Tell(number=number, message=piped.ComputeFeatures() as order):
                assert worker.core.work is None, "help although there is a task"
                worker.trainers[number].begin_help(order)
            case agent.Tell(number=number, message=piped.Halt() as halt):
                worker.trainers[number].halted = not halt.keep
            case agent.Terminate():
                if worker.trainers.pop(instruction.number, None) is not None:
                    self.worker_handles(worker, agent.TrainerExited(instruction.number, "was stopped with SIGKILL"))
            case agent.Leave():
                self.workers.pop(worker.name, None)

    def trainer_loads(self, worker: SimWorker, number: int) -> None:
        worker.trainers[number].ready = True
        self.worker_handles(worker, agent.TrainerSaid(number, piped.Ready({})))

    def trainer_ends(self, worker: SimWorker, number: int, code: str = "") -> None:
        """The training ends: well, or with a failure of that code; as cancelled when it was halted."""
        trainer = worker.trainers[number]
        train = trainer.training
        assert train is not None
        trainer.training = None
        key = (train.spec.task_id, train.attempt)
        if code:
            result = m.Result(*key, failure=Failure(code, FAILURE_CODES[code], "words"))
        elif trainer.halted:
            result = m.Result(*key, cancelled=True)
        else:
            self.trained_by[train.spec.task_id] += 1
            result = m.Result(*key, trained=Trained(f"/p/models/{key[0]}/model.tflite", artifacts=ARTIFACTS))
        self.worker_handles(worker, agent.TrainerSaid(number, piped.Ended(result, 100.0)))

    def trainer_wants_helpers(self, worker: SimWorker, number: int, count: int) -> None:
        wish = piped.Report(1.0, "features", 30.0, 2.0, 9.0, helpers_wanted=count)
        self.worker_handles(worker, agent.TrainerSaid(number, wish))

    def help_ends(self, worker: SimWorker, number: int) -> None:
        self.worker_handles(worker, agent.TrainerSaid(number, worker.trainers[number].end_help()))

    def trainer_finds_a_model(self, worker: SimWorker, number: int) -> None:
        """An interim model is published, and the next progress names it."""
        train = worker.trainers[number].training
        assert train is not None
        model = UsableModel(f"/p/models/{train.spec.task_id}/model.tflite", ARTIFACTS[0])
        progress = m.Progress(train.spec.task_id, train.attempt, 99.0, usable=model)
        holder = self.broker.workers.by_name(worker.name)
        self._publish(m.KeyedProgress(holder.publish_key if holder else "", progress))

    def _publish(self, message: m.KeyedProgress) -> None:
        accepted = self.broker.take_progress(message)
        found = self.broker.model_in(accepted) if accepted is not None else None
        if found is not None:
            self.broker_handles(found)

    def trainer_dies(self, worker: SimWorker, number: int) -> None:
        worker.trainers.pop(number)
        self.worker_handles(worker, agent.TrainerExited(number, "was killed by SIGKILL"))

    # ---- what must always hold ----

    def check(self) -> None:
        core = self.broker
        processing = [task for task in core.tasks.values() if task.state is TaskState.PROCESSING]
        assert core.holders.keys() == {task.task_id for task in processing}
        holders = Counter(holder.key for holder in core.holders.values())
        assert all(count == 1 for count in holders.values()), f"a worker with two leases: {holders}"
        for task in processing:
            holder = core.holders[task.task_id]
            assert holder.name == task.thread
            assert holder.task_id == task.task_id, f"{task.task_id} is leased, but {holder} does not know"
        waiting = {task.task_id for task in core.tasks.values() if task.state is TaskState.PENDING}
        assert all(task_id in core.waiting for task_id in waiting)
        assert len(core.waiting) == len(waiting)
        check_help(core, self._now())
        known = core.tasks.keys() | self._ended_in_journal.keys()
        assert self.promised <= known, f"promised and gone: {self.promised - known}"

    def check_replay(self) -> None:
        """What a fresh broker would know is what this one knows, and attempts rose one by one."""
        fresh = Core(SETTINGS)
        attempts: Counter[str] = Counter()
        models: Counter[tuple[str, int]] = Counter()
        for number, record in enumerate(self.journal, start=1):
            assert record.seq == number
            if isinstance(record.fact, ArtifactReady):
                later = self.journal[number]
                assert later.task_id == record.task_id
                assert isinstance(later.fact, ArtifactReady | Done), f"{record} does not come just before Done"
            if isinstance(record.fact, ModelUsable):
                models[record.task_id, record.fact.attempt] += 1
                assert models[record.task_id, record.fact.attempt] == 1, f"told twice: {record}"
            if isinstance(record.fact, Leased):
                attempts[record.task_id] += 1
                assert record.fact.attempt == attempts[record.task_id], f"attempt skipped: {record}"
        assert fresh.recover(Recovered(self.journal), self._now()) == {}
        assert fresh.tasks == self.broker.tasks
        assert fresh.seq == self.broker.seq

    # ---- the end: everything must settle ----

    def settle_twice(self) -> None:
        """Once with the workers that are there; then again with all of them dead and a new one."""
        if any(not worker.leaving for worker in self.workers.values()):
            self.settle()
        for index in range(3):
            self.submit("late", index)
        for name in list(self.workers):
            self.kill_worker(name)
        self.network = [envelope for envelope in self.network if envelope.to_broker]
        self.boot_worker("new")
        self.settle()

    def settle(self, rounds: int = 400) -> None:
        """A fair network and willing workers: every task that was promised must end."""
        for worker in self.workers.values():
            worker.asleep = False
        if not any(worker.name in WITH_GPU and not worker.leaving for worker in self.workers.values()):
            self.boot_worker("new")
        for _ in range(rounds):
            while self.network:
                self.deliver(0)
            for worker in list(self.workers.values()):
                for number, trainer in list(worker.trainers.items()):
                    if not trainer.ready:
                        self.trainer_loads(worker, number)
                    elif trainer.training is not None:
                        self.trainer_ends(worker, number)
                    elif trainer.helping is not None and trainer.halted:
                        self.help_ends(worker, number)
                if worker.core.draining:
                    self.drain(worker.name, False)
            if not self.broker.tasks and not any(w.core.work or w.core.help.given for w in self.workers.values()):
                break
            self.advance(0.7)
        self.check()
        self.check_replay()
        left = {task_id: (task.state, task.attempt, task.thread) for task_id, task in self.broker.tasks.items()}
        assert not left, f"never ended: {left}"
        assert not any(w.core.help.given for w in self.workers.values()), "help that never ended"
        for task_id in self.cancel_promised:
            assert self._ended_in_journal[task_id].state is TaskState.CANCELLED, f"{task_id}: cancel was promised"
