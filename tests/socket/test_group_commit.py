"""One commit for all that came in together, also when more tasks end in it than the broker keeps in memory."""

from __future__ import annotations

import threading
from pathlib import Path

import zmq

from broker.core import Core, CoreSettings
from broker.journal import Journal
from broker.shell import Shell, Sockets
from protocol import messages as m
from protocol import wire
from protocol.task import TaskSpec, TaskState

TASKS = 10
TIMEOUT_MS = 5000


def test_more_tasks_end_in_one_round_than_are_kept(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    kinds = {"web": zmq.ROUTER, "worker": zmq.ROUTER, "publish": zmq.XPUB, "collect": zmq.XSUB}
    bound = {name: context.socket(kind) for name, kind in kinds.items()}
    bound["web"].bind("inproc://web")
    web = context.socket(zmq.DEALER)
    web.rcvtimeo = TIMEOUT_MS
    web.connect("inproc://web")
    ids = [f"task{number}" for number in range(TASKS)]
    for number, task_id in enumerate(ids):
        spec = TaskSpec(task_id, "user", "project", "dir", "/dir", "classification")
        web.send_multipart(wire.encode(m.Submit(2 * number, spec)))
        web.send_multipart(wire.encode(m.Cancel(2 * number + 1, task_id)))
    shells: list[Shell] = []
    started = threading.Event()

    def serve() -> None:
        with Journal(tmp_path / "journal.sqlite3") as journal:
            shells.append(Shell(Core(CoreSettings(recent_tasks=3)), journal, Sockets(**bound), keep_days=30.0))
            started.set()
            shells[0].run()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert started.wait(5.0)
        answers = [wire.decode(web.recv_multipart(), m.BrokerToWeb) for _ in range(2 * TASKS)]
    finally:
        shells[0].stop()
        thread.join(5.0)
        context.destroy(linger=0)
    assert all(isinstance(answer, m.TaskReply) for answer in answers)
    with Journal(tmp_path / "journal.sqlite3") as journal:
        stored = [journal.task(task_id) for task_id in ids]
    assert all(task is not None and task.state is TaskState.CANCELLED for task in stored)
