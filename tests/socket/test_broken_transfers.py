"""Check-outs through a proxy that breaks connections, refuses requests and answers slowly."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.errors import TrainingError
from protocol.project_url import ProjectUrl
from storage.errors import UnreachableError
from storage.object_store import open_store
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.object_projects import ObjectWorker, Watching, content_of
from tests.object_servers import BUCKET, KEY, SECRET, ObjectServer, moto

PHOTOS = {f"cats/{number}.jpg": secrets.token_bytes(20_000) for number in range(8)}
LARGE = secrets.token_bytes(6 * 1024**2)


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with moto() as started:
        started.fill("photos", PHOTOS)
        started.fill("large", {"large.zip": LARGE})
        yield started


@pytest.fixture
def proxy(server: ObjectServer) -> Iterator[FaultProxy]:
    with fault_proxy(server.endpoint) as started:
        yield started


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def worker(proxy: FaultProxy, tmp_path: Path) -> ObjectWorker:
    return ObjectWorker(ObjectServer(proxy.endpoint), tmp_path / "cache", timeout_s=1.0)


@pytest.mark.parametrize(
    "fault",
    [Fault(status=503), Fault(status=503, retry_after_s=1), Fault(status=500), Fault(cut_after_bytes=7000)],
    ids=["503", "503 with Retry-After", "500", "broken in the middle"],
)
def test_a_fault_that_passes_costs_only_time(proxy: FaultProxy, worker: ObjectWorker, fault: Fault) -> None:
    proxy.first(3, fault, "GET", ".jpg")
    with worker.project("photos") as project:
        assert content_of(project.path) == PHOTOS


def test_a_listing_that_breaks_is_asked_for_again(proxy: FaultProxy, worker: ObjectWorker) -> None:
    proxy.first(2, Fault(cut_after_bytes=100), "GET", "list-type")
    with worker.project("photos") as project:
        assert content_of(project.path) == PHOTOS


def test_a_small_answer_that_trickles_is_given_up(proxy: FaultProxy) -> None:
    """Front-ends have few threads for it. Each would be lost for as long as the answer takes."""
    url = ProjectUrl("s3", BUCKET, "photos")
    store = open_store(url, ObjectServer(proxy.endpoint).settings(timeout_s=0.5), retries=1)
    with proxy.always(Fault(bytes_a_second=20)):
        for call in (store.list_folder, lambda: store.get("cats/1.jpg"), lambda: list(store.list())):
            began_s = time.monotonic()
            with pytest.raises(UnreachableError):
                call()
            assert time.monotonic() - began_s < 5.0


def test_a_slow_answer_is_waited_for_as_long_as_it_comes(proxy: FaultProxy, worker: ObjectWorker) -> None:
    """It takes longer in all than the connection may be silent."""
    proxy.first(1, Fault(bytes_a_second=12_000), "GET", ".jpg")
    began_s = time.monotonic()
    with worker.project("photos") as project:
        assert content_of(project.path) == PHOTOS
    assert time.monotonic() - began_s > 1.0


def test_a_server_that_goes_on_failing_ends_the_attempt_and_keeps_what_came(
    proxy: FaultProxy, worker: ObjectWorker
) -> None:
    proxy.first(10**6, Fault(status=503), "GET", "7.jpg")
    with pytest.raises(
        TrainingError, match=r"failed for s3://photos/photos/cats/7.jpg: the server answered 503"
    ) as failed:
        worker.moved("photos")
    assert failed.value.code == "storage_unreachable"
    proxy.plan = lambda method, path: None
    assert worker.moved("photos") == (1, 20_000)


def test_a_large_object_goes_on_where_it_broke_off(proxy: FaultProxy, worker: ObjectWorker) -> None:
    """The client asks for the rest by itself, until it gives up."""
    faults = itertools.chain([Fault(cut_after_bytes=2 * 1024**2)], itertools.repeat(Fault(status=503)))
    proxy.plan = lambda method, path: next(faults) if path.endswith("large.zip") else None
    with pytest.raises(TrainingError):
        worker.moved("large")
    (part,) = worker.folders.cache_dir.rglob("parts/*")
    had_bytes = part.stat().st_size
    assert had_bytes >= 1024**2  # up to one chunk of what came is lost
    proxy.plan = lambda method, path: None
    proxy.sent_bytes = 0
    watching = Watching()
    with worker.project("large", watcher=watching) as project:
        assert content_of(project.path) == {"large.zip": LARGE}
    assert proxy.sent_bytes < len(LARGE) - had_bytes + 100_000
    assert watching.steps[-1] == len(LARGE)
