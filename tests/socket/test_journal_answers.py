"""What a real broker reads from its journal: lists of tasks, and the events of the past, as it has published them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from protocol import messages as m
from protocol import wire
from protocol.artifact import UsableModel
from protocol.events import Event
from protocol.queries import EventsPart, EventsWanted, TaskPage, TasksWanted
from protocol.task import TaskState, Trained
from protocol.task_filter import TaskFilter
from tests.sample_tasks import hex_id, make_artifact, make_spec
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S

FIRST, SECOND = hex_id("first"), hex_id("second")


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with Programs(tmp_path, start=False) as programs:
        programs.start("broker")
        yield programs


class Subscriber:
    """Collects the events that the broker publishes. Use as a context manager."""

    def __init__(self, endpoint: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.rcvtimeo = int(TIMEOUT_S * 1000)
        self._socket.subscribe(b"")
        self._socket.connect(endpoint)
        self.events: list[Event] = []

    def __enter__(self) -> Subscriber:
        while not isinstance(self._receive(), m.Tick):  # It is subscribed now.
            pass
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def read_until(self, seq: int) -> None:
        while not self.events or self.events[-1].id < seq:
            message = self._receive()
            if isinstance(message, m.TasksChanged):
                self.events += [change.event for change in message.changes]

    def _receive(self) -> m.Published:
        message: m.Published = wire.decode(self._socket.recv_multipart(), m.Published)
        return message


def train_two_tasks(programs: Programs, front_end: ScriptedFrontEnd) -> None:
    """The first is done with an interim model and two files; the second waits."""
    for task_id in (FIRST, SECOND):
        spec = make_spec(task_id, project_path=str(programs.projects / "anna" / "flowers"), metadata={"order": "7"})
        front_end.ask(m.TaskReply, functools.partial(m.Submit, spec=spec))
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.connect_progress(programs.endpoints.collect)
        worker.join()
        start = worker.receive(m.Start)
        model = f"{start.spec.project_path}/models/{FIRST}/model.tflite"
        progress = m.Progress(FIRST, 1, 30.0, usable=UsableModel(model, make_artifact()))
        while front_end.ask(m.TaskReply, lambda number: m.Lookup(number, FIRST)).task.usable is None:
            worker.publish(progress)
            worker.heartbeat(False, m.Holding(FIRST, 1))
        artifacts = (make_artifact(), make_artifact("labels.txt"))
        worker.send(m.Result(FIRST, 1, trained=Trained(model, artifacts=artifacts)))
        worker.receive(m.ResultAck)


def test_past_events_are_the_published_ones_also_after_a_restart(programs: Programs) -> None:
    endpoints = programs.endpoints
    with ScriptedFrontEnd(endpoints.web) as front_end, Subscriber(endpoints.publish) as subscriber:
        train_two_tasks(programs, front_end)
        whole = front_end.ask(EventsPart, lambda number: EventsWanted(number, 0))
        subscriber.read_until(whole.seq)
        assert list(whole.events) == subscriber.events
        kinds = [event.type for event in whole.events if event.task_id == FIRST]
        assert kinds == [
            *("task.submitted", "task.started", "model.usable", "artifact.ready", "artifact.ready", "task.done"),
        ]
        assert (whole.up_to, whole.kept_after) == (whole.seq, 0)
    programs.kill("broker")
    programs.start("broker")
    with ScriptedFrontEnd(endpoints.web) as front_end:
        again = front_end.ask(EventsPart, lambda number: EventsWanted(number, 0))
        assert again.events == whole.events
        part = front_end.ask(EventsPart, lambda number: EventsWanted(number, 3, FIRST, most=2))
        of_first = [event for event in whole.events if event.task_id == FIRST and event.id > 3]
        assert list(part.events) == of_first[:2]
        assert part.up_to == of_first[1].id
        nothing = front_end.ask(EventsPart, lambda number: EventsWanted(number, 0, hex_id("never")))
        assert (nothing.events, nothing.up_to) == ((), whole.seq)


def test_a_list_shows_what_was_committed_before_the_question(programs: Programs) -> None:
    with ScriptedFrontEnd(programs.endpoints.web) as front_end:
        train_two_tasks(programs, front_end)
        wanted = TaskFilter(user_id="anna", metadata={"order": "7"})
        first = front_end.ask(TaskPage, functools.partial(TasksWanted, wanted=wanted, most=1))
        assert [task.task_id for task in first.tasks] == [SECOND]
        assert {state.value: count for state, count in first.counts.items() if count} == {"done": 1, "pending": 1}
        second = front_end.ask(TaskPage, functools.partial(TasksWanted, wanted=wanted, cursor=first.next))
        assert [task.task_id for task in second.tasks] == [FIRST]
        assert (second.next, second.seq) == ("", 7)
        refused = front_end.ask(m.Refused, functools.partial(TasksWanted, wanted=TaskFilter(), cursor=first.next))
        assert refused.code == "bad_fields"
        for task_id in map(hex_id, range(20)):
            spec = make_spec(task_id, "ben", project_path=str(programs.projects / "anna" / "flowers"))
            front_end.send(functools.partial(m.Submit, spec=spec))
        asked = front_end.send(functools.partial(TasksWanted, wanted=TaskFilter(user_id="ben"), most=0))
        answers = {answer.request_id: answer for answer in (front_end.receive() for _ in range(21))}
        page = answers[asked]
        assert isinstance(page, TaskPage)
        assert page.counts[TaskState.PENDING] == 20


def test_a_repeated_question_is_answered_and_many_questions_hold_up_no_task(programs: Programs) -> None:
    with ScriptedFrontEnd(programs.endpoints.web) as front_end:
        train_two_tasks(programs, front_end)
        asked = [front_end.send(lambda number: EventsWanted(number, 0)) for _ in range(500)]
        found = front_end.send(lambda number: m.Lookup(number, FIRST))
        answers = [front_end.receive() for _ in range(501)]
        assert sorted(answer.request_id for answer in answers) == [*asked, found]
