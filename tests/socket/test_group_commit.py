"""One commit for all that came in together, and nothing said before it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
import zmq

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.facts import Done, Record, Submitted, evolve
from broker.journal import JournalError
from broker.publisher import Publisher
from broker.shell import Shell, Sockets
from broker.sqlite_journal.journal import SqliteJournal
from broker.tally import Tally
from protocol import messages as m
from protocol import wire
from protocol.task import Task, TaskSpec, TaskState, Trained
from tests.sample_tasks import hex_id
from tests.socket.served_shell import JOURNAL, served_shell
from tests.waiting import TIMEOUT_S

TASKS = 10
TIMEOUT_MS = int(TIMEOUT_S * 1000)


class FailingJournal(SqliteJournal):
    """As with a disk that is full."""

    def append(self, records: Sequence[Record], tasks: Iterable[Task]) -> None:
        raise JournalError("disk I/O error")


@contextlib.contextmanager
def sockets() -> Iterator[tuple[Sockets, zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """The broker's four, a front-end's DEALER, and its SUB."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    kinds = {"web": zmq.ROUTER, "worker": zmq.ROUTER, "publish": zmq.XPUB, "collect": zmq.SUB}
    bound = {name: context.socket(kind) for name, kind in kinds.items()}
    for name in ("web", "publish"):
        bound[name].bind(f"inproc://{name}")
    four = Sockets(bound["web"], bound["worker"], Publisher(lambda: bound["publish"], Tally()), bound["collect"])
    web, subscriber = context.socket(zmq.DEALER), context.socket(zmq.SUB)
    web.rcvtimeo = TIMEOUT_MS
    web.connect("inproc://web")
    subscriber.subscribe(b"")
    subscriber.connect("inproc://publish")
    try:
        yield four, web, subscriber
    finally:
        context.destroy(linger=0)


def spec(task_id: str) -> TaskSpec:
    return TaskSpec(task_id, "user", "project", "dir", "/dir", "classification")


def test_more_tasks_end_in_one_round_than_are_kept(tmp_path: Path) -> None:
    ids = [hex_id(number) for number in range(TASKS)]
    with sockets() as (bound, web, _):
        for number, task_id in enumerate(ids):
            web.send_multipart(wire.encode(m.Submit(2 * number, spec(task_id))))
            web.send_multipart(wire.encode(m.Cancel(2 * number + 1, task_id)))
        core = Core(CoreSettings(recent_tasks=3, data_roots=("/",)))
        with served_shell(core, bound, tmp_path, Tally()):
            answers = [wire.decode(web.recv_multipart(), m.BrokerToWeb) for _ in range(2 * TASKS)]
    assert all(isinstance(answer, m.TaskReply) for answer in answers)
    with SqliteJournal(tmp_path / JOURNAL) as journal:
        stored = [journal.task(task_id) for task_id in ids]
    assert all(task is not None and task.state is TaskState.CANCELLED for task in stored)


def test_a_commit_that_fails_ends_the_loop_before_anyone_is_told(tmp_path: Path) -> None:
    with sockets() as (bound, web, subscriber), FailingJournal(tmp_path / "journal.sqlite3") as journal:
        web.send_multipart(wire.encode(m.Submit(1, spec(hex_id()))))
        shell = Shell(Core(CoreSettings(data_roots=("/",))), journal, bound, keep_days=30.0, tally=Tally())
        with pytest.raises(JournalError):
            shell.run()
        # What has been sent over inproc is there at once.
        assert not web.poll(0), wire.decode(web.recv_multipart(), m.BrokerToWeb)
        assert not subscriber.poll(0), wire.decode(subscriber.recv_multipart(), m.Published)


def test_a_journal_whose_facts_do_not_fit_is_served_without_that_task(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    misfit, other = hex_id("t1"), hex_id("t2")
    submitted = [Record(seq, 1.0, name, Submitted(spec(name))) for seq, name in ((1, misfit), (2, other))]
    core = Core(CoreSettings())
    with sockets() as (bound, _, _), SqliteJournal(tmp_path / "journal.sqlite3") as journal:
        journal.append(submitted, [evolve(None, record) for record in submitted])
        journal.append([Record(3, 2.0, misfit, Done(1, Trained("/dir/model.tflite")))], [])
        shell = Shell(core, journal, bound, keep_days=30.0, tally=Tally())
        shell.stop()
        shell.run()  # It replays, and then finds that it was told to stop.
    assert core.tasks.keys() == {other}
    assert core.seq == 3
    assert "action=journal.task_left_out" in caplog.text
    assert f"fact 3, Done of attempt 1, cannot follow: task {misfit} is pending in attempt 1" in caplog.text


def test_a_task_that_is_only_in_the_journal_is_read_promoted_and_recorded(tmp_path: Path) -> None:
    task_id = hex_id("old")
    old = Task(spec(task_id), TaskState.DONE, progress=100.0, trained=Trained("/dir/models/x"), ended_at_s=5.0)
    with sockets() as (bound, web, _), SqliteJournal(tmp_path / "journal.sqlite3") as journal:
        newer = Task(spec(hex_id("newer")), TaskState.CANCELLED, ended_at_s=9.0)
        journal.append([Record(1, 1.0, task_id, Submitted(old.spec))], [old, newer])
        shell = Shell(Core(CoreSettings(recent_tasks=1, data_roots=("/",))), journal, bound, 30.0 * 365 * 60, Tally())
        web.send_multipart(wire.encode(m.Promote(1, task_id, 0.0)))

        def stop_when_answered() -> None:
            web.poll(TIMEOUT_MS)
            shell.stop()

        thread = threading.Thread(target=stop_when_answered)
        thread.start()
        shell.run()
        thread.join(TIMEOUT_S)
        reply = wire.decode(web.recv_multipart(), m.BrokerToWeb)
        stored = journal.task(task_id)
    assert isinstance(reply, m.TaskReply)
    assert (reply.task, reply.seq) == (stored, 2)
    assert stored is not None
    assert stored.promoted_at_s > 0
