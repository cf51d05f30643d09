"""The agent's decisions. `handle(event, now_s)` returns instructions. Pure: no socket, process, clock or logging."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.errors import Failure, FailureClass
from protocol.task import TaskSpec
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
    Tell,
    Terminate,
    TimePassed,
    TrainerExited,
    TrainerSaid,
)
from trainer_worker.agent.help import Help
from trainer_worker.agent.limits import next_rung, why_overdue
from trainer_worker.agent.machine import Machine
from trainer_worker.agent.processes import RESPAWN_DELAY_S, Processes
from trainer_worker.agent.progress_clock import ProgressClock
from trainer_worker.agent.settings import AgentSettings
from trainer_worker.agent.state import ProcessState, TrainerProcess, Work, outcome_of

HELLO_INTERVAL_S = 0.5
#: After this many without a welcome (five seconds) the log says so, because a wrong address shows in no other way.
HELLOS_UNTIL_NOTE = 10
PROGRESS_INTERVAL_S = 0.25
LEAVE_TIMEOUT_S = 3.0
#: The trainer process is replaced after a failure of these classes, because its memory or state may be at fault. Bad
#: photos or options say nothing against the process, and posting them must not cost other users the warm process.
RETIRING_CLASSES = (FailureClass.RESOURCES, FailureClass.TRAINER)
#: How many ended attempts are remembered, so that a late copy of their Start does not begin them again.
REMEMBERED_ATTEMPTS = 1000


class AgentCore(Processes):
    def __init__(self, settings: AgentSettings) -> None:
        super().__init__(settings)
        self.work: Work | None = None
        self.help = Help()
        #: Results that the broker has not acknowledged, each with its task's spec, which a Discard needs.
        self.outbox: dict[tuple[str, int], tuple[m.Result, TaskSpec]] = {}
        self.welcomed = False
        #: Whether the broker has ordered to take no new task. It ends with this process.
        self.draining = False
        self.machine = Machine(settings.labels, settings.gpu)
        self._tasks_done = 0
        self._ended_attempts: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._interval_s = HELLO_INTERVAL_S
        self._next_heartbeat_s = 0.0
        self._next_progress_s = 0.0
        self._said_ready = False
        self._rejected = ""
        #: Why the broker has refused this worker for good; "" if it has not. The process then ends with exit code 78.
        self.refused = ""
        self._hellos = 0
        self._last_published: m.Progress | None = None
        self._publish_key = ""

    @property
    def ready(self) -> bool:
        """Whether a task could start at once; where help has to end for it, at the next picture."""
        if self._leave_by_s is not None or self.draining or self.work is not None:
            return False
        return any(p.state in (ProcessState.READY, ProcessState.HELPING) for p in self.processes.values())

    def handle(self, event: Event, now_s: float) -> list[Instruction]:
        """All instructions that follow from one event. now_s: monotonic time."""
        self._out, self._now_s = [], now_s
        match event:
            case BrokerSaid():
                self._broker_said(event.message)
            case TrainerSaid():
                self._trainer_said(event.number, event.message)
            case TrainerExited():
                self._trainer_exited(event.number, event.how)
            case LeaveOrdered():
                self._leave()
            case MachineSampled():
                self._out += self.machine.sampled(event, now_s)
            case TimePassed():
                pass
        self._keep_processes()
        self._give_work()
        self._watch_time()
        self._climb_stop_ladder()
        self._report_progress()
        self._speak()
        return self._out

    def next_deadline(self) -> float:
        """The monotonic time by which `handle(TimePassed())` must be called."""
        deadlines = [self._next_heartbeat_s]
        if self.work is not None:
            deadlines.append(self._next_progress_s)
        if not self.processes:
            deadlines.append(self._next_spawn_s)
        return min(deadlines)

    # ---- broker ----

    def _broker_said(self, message: m.BrokerToWorker) -> None:
        match message:
            case m.Welcome():
                if not self.welcomed:
                    self._out.append(Note("action=worker.welcomed"))
                self.welcomed, self._rejected = True, ""
                self._interval_s = message.heartbeat_interval_s
                self._publish_key = message.publish_key
                self.machine.broker_clock(message.at_s, self._now_s)
                self._out.append(ConnectProgress(message.progress_port))
                # Results that waited for this welcome go out at once.
                wait_s = 0.0 if self.outbox else self._interval_s
                self._next_heartbeat_s = min(self._next_heartbeat_s, self._now_s + wait_s)
            case m.HelloWanted():
                if self.welcomed:  # The broker answers each of our messages with this; one Hello is enough.
                    self._next_heartbeat_s = self._now_s
                self.welcomed = False
            case m.Rejected():
                # Hello is repeated twice a second, but the reason is logged only once.
                if message.error != self._rejected:
                    self._out.append(Note("action=worker.rejected reason=%r", (message.error,)))
                self._rejected = message.error
                if message.for_good:
                    self._give_up(message.error)
                elif self.work is not None:  # A worker that may not register holds no lease.
                    self._order_stop(m.Stop(self.work.holding.task_id, self.work.holding.attempt, unknown=True))
            case m.Start():
                self._take(message)
            case m.Stop():
                self._order_stop(message)
            case m.Help():
                if self.ready:
                    self._out += self.help.ordered(message)
            case m.Pulse():
                self._follow(message)
            case m.ResultAck():
                self._acknowledged(message)

    def _follow(self, pulse: m.Pulse) -> None:
        if pulse.order is not None:
            self._order_stop(pulse.order)
        if pulse.drain is not None and pulse.drain != self.draining:
            self._drain(pulse.drain)
        if pulse.hand_back:
            self._hand_back()
        if pulse.helps != self.help.helps:
            self._out += self.help.end(self._now_s)
        if self.work is not None and self.work.clock.helpers != pulse.helpers:
            self.work.clock.helpers = pulse.helpers
            values = (self.work.start.spec.task_id, self.work.start.attempt, pulse.helpers)
            self._out.append(Note("action=task.helped task=%s attempt=%d helpers=%d", values))

    def _drain(self, on: bool) -> None:
        """Take no new task from now on, or take tasks again. A task that is held goes on. The broker hears of it."""
        self.draining = on
        self._next_heartbeat_s = self._now_s
        self._out.append(Note("action=worker.draining on=%s", (on,)))

    def _hand_back(self) -> None:
        """Give the task back to the queue. Its process is killed, since it could go on for seconds otherwise."""
        work = self.work
        if work is None:
            return
        if work.number is not None and work.number in self.processes:
            self._retire(self.processes[work.number])
        self._end_work(m.Result(work.start.spec.task_id, work.start.attempt, handed_back=True))

    def _take(self, start: m.Start) -> None:
        key = (start.spec.task_id, start.attempt)
        if self.work is not None or key in self._ended_attempts:
            # A late copy, or the agent is busy. If the broker still wants this attempt, it sends the Start again.
            return
        self._out += self.help.end(self._now_s)
        clock = ProgressClock(*key, self._now_s)
        self.work = Work(start, clock, self._now_s)
        self._next_progress_s = self._now_s
        self._next_heartbeat_s = self._now_s
        self._out.append(Note("action=task.taken task=%s attempt=%d request=%s", (*key, start.spec.request_id)))
        if self._leave_by_s is not None:
            self._hand_back()

    def _order_stop(self, order: m.Stop) -> None:
        work = self.work
        if work is None or work.holding != m.Holding(order.task_id, order.attempt):
            return
        if work.halt is not None and (not work.halt.keep or order.keep):
            return  # The order is repeated, or weaker than the one that is being carried out.
        work.halt, work.halted_at_s = order, self._now_s
        if work.number is None:
            self._end_work(m.Result(order.task_id, order.attempt, cancelled=True))
        else:
            self._out.append(Tell(work.number, piped.Halt(order.attempt, order.task_id, order.keep)))

    def _acknowledged(self, ack: m.ResultAck) -> None:
        sent = self.outbox.pop((ack.task_id, ack.attempt), None)
        if sent is not None and ack.discard:
            self._out.append(Discard(sent[1]))

    # ---- trainer processes ----

    def _trainer_said(self, number: int, message: piped.TrainerToAgent) -> None:
        process = self.processes.get(number)
        if process is None:
            return
        match message:
            case piped.Ready():
                process.state = ProcessState.READY
                self._out += self.machine.sees(message.devices)
                self._out.append(Note("action=trainer.ready number=%d", (number,)))
            case piped.Report():
                if self.work is not None and self.work.number == number:
                    self.work.clock.update(message, self._now_s)
                    self.work.stages = message.stages
                    if message.helpers_wanted != self.work.helpers_wanted:
                        self.work.helpers_wanted = message.helpers_wanted
                        self._next_heartbeat_s = self._now_s
            case piped.Ended():
                self._training_ended(process, message)
            case piped.HelpEnded():
                if process.state is ProcessState.HELPING:
                    process.state = ProcessState.READY
                if self._is_worn_out(process, message.rss_mb):
                    self._retire(process)
                self._out += self.help.ended(number, f"computed {message.pictures} pictures")

    def _is_worn_out(self, process: TrainerProcess, rss_mb: float) -> bool:
        """Count a task of the process. Whether it was the last one, also because of the memory that is still held."""
        process.tasks_done += 1
        return process.tasks_done >= self.settings.tasks_per_process or rss_mb > self.settings.memory_limit_mb

    def _training_ended(self, process: TrainerProcess, ended: piped.Ended) -> None:
        worn_out, failure = self._is_worn_out(process, ended.rss_mb), ended.result.failure
        if worn_out or (failure is not None and failure.failure_class in RETIRING_CLASSES):
            self._retire(process)
        if self.work is not None and self.work.number == process.number:
            self._end_work(ended.result)

    def _trainer_exited(self, number: int, how: str) -> None:
        process = self.processes.pop(number, None)
        if process is None:
            return
        if process.state is ProcessState.STARTING:
            self._next_spawn_s = self._now_s + RESPAWN_DELAY_S
        if process.state is not ProcessState.RETIRING:
            self._out.append(Note("action=trainer.exited number=%d how=%r", (number, how)))
        self._out += self.help.ended(number, how, died=True)
        work = self.work
        if work is None or work.number != number:
            return
        key = (work.start.spec.task_id, work.start.attempt)
        if work.overdue is not None:
            self._end_work(m.Result(*key, failure=work.overdue))
        elif work.rung:
            self._end_work(m.Result(*key, cancelled=True))
        else:
            ran_s = self._now_s - work.began_at_s
            error = f"the trainer process {how} after {ran_s:.0f} s."
            self._end_work(m.Result(*key, failure=Failure("trainer_killed", FailureClass.LOST, error)))

    def _end_work(self, result: m.Result) -> None:
        """End the attempt: queue its result, and remember the attempt so that it is not taken again."""
        work = self.work
        if work is None:
            return
        progress = work.clock.message(self._now_s).progress
        result = msgspec.structs.replace(result, progress=progress)
        key = (result.task_id, result.attempt)
        self.outbox[key] = (result, work.start.spec)
        self._ended_attempts[key] = None
        while len(self._ended_attempts) > REMEMBERED_ATTEMPTS:
            self._ended_attempts.popitem(last=False)
        self._out.append(AttemptOver(work.start, result, self._now_s - work.began_at_s, work.stages))
        self.work = None
        self._tasks_done += 1
        self._last_published = None
        self._next_heartbeat_s = self._now_s
        values = (outcome_of(result), *key, work.start.spec.request_id, work.rung)
        self._out.append(Note("action=task.%s task=%s attempt=%d request=%s rung=%s", values))

    def _give_work(self) -> None:
        process = self._ready_process()
        if self.work is not None and self.work.number is None and process is not None:
            self.work.number = process.number
            self.work.began_at_s = self._now_s
            self.work.clock.begin(self._now_s)
            start = self.work.start
            self._out.append(Tell(process.number, piped.Train(start.spec, start.attempt, start.batch_divisor)))
        elif self.work is None and process is not None:
            self._out += self.help.give_to(process)

    def _watch_time(self) -> None:
        """Stop a training at its time limit, and kill one that does not stop or has taken no step for long."""
        work = self.work
        if work is None or work.number is None or work.overdue is not None:
            return
        spec = work.start.spec
        work.overdue = why_overdue(work, self._now_s, self.settings.stall_limit_s)
        if work.overdue is not None:
            self._out.append(Terminate(work.number, force=True))
        elif spec.max_seconds and self._now_s - work.began_at_s >= spec.max_seconds and work.halt is None:
            self._order_stop(m.Stop(spec.task_id, work.start.attempt, keep=True))

    def _climb_stop_ladder(self) -> None:
        """Send SIGTERM and then SIGKILL to a training that does not stop, and SIGKILL where help does not end."""
        work, settings = self.work, self.settings
        rung = next_rung(work, self._now_s, settings.stop_grace_s, settings.kill_grace_s) if work else ""
        if work is not None and work.number is not None and rung:
            work.rung = rung
            self._out.append(Terminate(work.number, force=rung == "SIGKILL"))
        helping = self.processes.get(self.help.overdue(self._now_s, settings.stop_grace_s) or 0)
        if helping is not None and helping.state is ProcessState.HELPING:
            self._retire(helping)

    # ---- speaking ----

    def _report_progress(self) -> None:
        if self.work is None or self._now_s < self._next_progress_s:
            return
        self._next_progress_s = self._now_s + PROGRESS_INTERVAL_S
        progress = self.work.clock.message(self._now_s)
        if progress != self._last_published:
            self._last_published = progress
            self._out.append(Publish(m.KeyedProgress(self._publish_key, progress)))

    def _speak(self) -> None:
        """Send Hello until welcomed, then heartbeats. A change is reported at once."""
        if self.ready and not self._said_ready:
            self._next_heartbeat_s = self._now_s
        if self._now_s >= self._next_heartbeat_s:
            self._next_heartbeat_s = self._now_s + (self._interval_s if self.welcomed else HELLO_INTERVAL_S)
            self._said_ready = self.ready
            holds = self.work.holding if self.work is not None else None
            if self.welcomed:
                # Results go first: the broker then knows that the worker is free before it hears that it is ready.
                # Before the welcome it would not accept them.
                self._out += [Send(result) for result, _ in self.outbox.values()]
                self._hellos = 0
                self._out.append(Send(self._heartbeat(holds)))
            else:
                self._say_hello(holds)
        if self._leave_by_s is not None and (not self.outbox or self._now_s >= self._leave_by_s):
            self._out += [Send(m.Goodbye()), Leave()]

    def _heartbeat(self, holds: m.Holding | None) -> m.Heartbeat:
        machine = self.machine
        return m.Heartbeat(
            self.ready,
            holds,
            self.draining,
            machine.devices,
            machine.memory_mb,
            self._tasks_done,
            machine.labels,
            machine.clock_skew_s,
            self.work.helpers_wanted if self.work is not None else 0,
            self.help.helps,
        )

    def _say_hello(self, holds: m.Holding | None) -> None:
        s = self.settings
        self._hellos += 1
        if self._hellos == HELLOS_UNTIL_NOTE:
            why = "The broker has not answered yet. 'python server.py doctor' says what is wrong with address or key."
            self._out.append(Note("action=worker.waiting reason=%r", (why,)))
        described = (self.machine.labels, s.pool, dict(s.versions))
        who = (s.worker, s.start_id, s.host, s.train_types)
        self._out.append(Send(m.Hello(*who, self.ready, holds, self.draining, *described)))

    def _give_up(self, error: str) -> None:
        """Leave, because the broker does not take this worker as it is. It takes no results from it either."""
        self.refused = error
        self._leave()
        self.outbox.clear()

    def _leave(self) -> None:
        if self._leave_by_s is not None:
            return
        self._leave_by_s = self._now_s + LEAVE_TIMEOUT_S
        self._hand_back()
        for process in self.processes.values():
            self._retire(process)
