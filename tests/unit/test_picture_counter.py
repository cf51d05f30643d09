"""The pictures of projects in object storage are counted for forecasts, and no forecast waits for that."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from protocol.project_url import ProjectUrl
from protocol.task import Task
from tests.fault_proxy import Fault, fault_proxy
from tests.local_roots import local_roots
from tests.object_servers import BUCKET, CREDENTIALS, moto
from tests.sample_tasks import make_spec
from tests.waiting import wait_until
from web.folders.data_roots import DataRoots
from web.folders.object_copies import ObjectCopies
from web.folders.object_folders import ObjectFolders
from web.folders.object_stores import ObjectStores
from web.folders.picture_counter import PictureCounter
from web.folders.threads import Threads

ROOT = ProjectUrl.parse_root(f"s3://{BUCKET}/users")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def test_counts_come_when_they_are_there(tmp_path: Path) -> None:
    with moto() as server, fault_proxy(server.endpoint) as proxy:
        server.fill("users/a", {"images/x/1.jpg": b"", "images/x/2.png": b"", "images/x/.3.jpg": b"", "4.jpg": b""})
        server.fill("users/b", {"x/1.jpg": b"", "masks/1.png": b"", "models/1.jpg": b"", "1.jpg": b"", "x/2.txt": b""})
        threads = Threads("test-storage")
        stores = ObjectStores([ROOT], server.settings(endpoint=proxy.endpoint, timeout_s=1.0))
        folders = ObjectFolders(stores, ObjectCopies(tmp_path, 10**6, threads), threads, threads, [str(ROOT)])
        counter = PictureCounter(DataRoots([str(ROOT)], local_roots(tmp_path).of("/"), folders))
        tasks = [Task(make_spec(name, project_path=f"{ROOT}/{name}")) for name in ("a", "b", "none")]
        with proxy.always(Fault(hangs_until=threading.Event())):
            assert [counter.count(task) for task in tasks] == [None, None, None]
            wait_until(lambda: counter.count(tasks[0]) is not None, "the end of a count")
            assert counter.count(tasks[0]) == 0, "nothing is known of a project whose storage hangs"
        numbers = itertools.count()

        def counts() -> list[int | None]:
            """Of new tasks, because a count that the time-out has ended is kept for its task."""
            number = next(numbers)
            again = [Task(make_spec(f"{number}-{name}", project_path=f"{ROOT}/{name}")) for name in ("a", "b", "none")]
            wait_until(lambda: None not in [counter.count(task) for task in again], "all counts")
            return [counter.count(task) for task in again]

        wait_until(lambda: counts() == [2, 1, 0], "the right counts")
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "1.jpg").touch()
        assert counter.count(Task(make_spec("l", project_path=str(tmp_path)))) == 1
