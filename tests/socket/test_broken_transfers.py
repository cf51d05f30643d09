"""Check-outs through a proxy that breaks connections, refuses requests and answers slowly."""

from __future__ import annotations

import itertools
import secrets
import time
from pathlib import Path

import pytest

from protocol.errors import TrainingError
from protocol.project_url import ProjectUrl
from storage.errors import UnreachableError
from storage.object_store import open_store
from tests.fault_proxy import Fault, FaultProxy
from tests.object_projects import ObjectWorker, Watching, content_of
from tests.object_servers import BUCKET, ObjectServer
from tests.waiting import TIMEOUT_S

pytestmark = pytest.mark.usefixtures("storage_credentials", "quick_retries")


PHOTOS = {f"cats/{number}.jpg": secrets.token_bytes(20_000) for number in range(8)}
LARGE = secrets.token_bytes(6 * 1024**2)


@pytest.fixture(scope="module", autouse=True)
def _filled(object_server: ObjectServer) -> None:
    object_server.fill("photos", PHOTOS)
    object_server.fill("large", {"large.zip": LARGE})


@pytest.fixture
def worker(object_proxy: FaultProxy, tmp_path: Path) -> ObjectWorker:
    return ObjectWorker(ObjectServer(object_proxy.endpoint), tmp_path / "cache", timeout_s=TIMEOUT_S)


@pytest.mark.parametrize(
    "fault",
    [Fault(status=503), Fault(status=503, retry_after_s=1), Fault(status=500), Fault(cut_after_bytes=7000)],
    ids=["503", "503 with Retry-After", "500", "broken in the middle"],
)
def test_a_fault_that_passes_costs_only_time(object_proxy: FaultProxy, worker: ObjectWorker, fault: Fault) -> None:
    object_proxy.first(3, fault, "GET", ".jpg")
    with worker.project("photos") as project:
        assert content_of(project.path) == PHOTOS


def test_a_listing_that_breaks_is_asked_for_again(object_proxy: FaultProxy, worker: ObjectWorker) -> None:
    object_proxy.first(2, Fault(cut_after_bytes=100), "GET", "list-type")
    with worker.project("photos") as project:
        assert content_of(project.path) == PHOTOS


def test_a_small_answer_that_trickles_is_given_up(object_proxy: FaultProxy) -> None:
    """Front-ends have few threads for it. Each would be lost for as long as the answer takes: more than TIMEOUT_S."""
    url = ProjectUrl("s3", BUCKET, "photos")
    store = open_store(url, ObjectServer(object_proxy.endpoint).settings(timeout_s=0.5), retries=1)
    with object_proxy.always(Fault(bytes_a_second=20)):
        for call in (store.list_folder, lambda: store.get("cats/1.jpg"), lambda: list(store.list())):
            began_s = time.monotonic()
            with pytest.raises(UnreachableError):
                call()
            assert time.monotonic() - began_s < TIMEOUT_S / 2


def test_a_slow_answer_is_waited_for_as_long_as_it_comes(object_proxy: FaultProxy, tmp_path: Path) -> None:
    """It takes longer in all than the connection may be silent."""
    worker = ObjectWorker(ObjectServer(object_proxy.endpoint), tmp_path / "cache", timeout_s=1.0)
    object_proxy.first(1, Fault(bytes_a_second=12_000), "GET", ".jpg")
    began_s = time.monotonic()
    with worker.project("photos") as project:
        assert content_of(project.path) == PHOTOS
    assert time.monotonic() - began_s > 1.0


def test_a_server_that_goes_on_failing_ends_the_attempt_and_keeps_what_came(
    object_proxy: FaultProxy, worker: ObjectWorker
) -> None:
    object_proxy.first(10**6, Fault(status=503), "GET", "7.jpg")
    with pytest.raises(
        TrainingError, match=r"failed for s3://photos/photos/cats/7.jpg: the server answered 503"
    ) as failed:
        worker.moved("photos")
    assert failed.value.code == "storage_unreachable"
    object_proxy.plan = lambda method, path: None
    assert worker.moved("photos") == (1, 20_000)


def test_a_large_object_goes_on_where_it_broke_off(object_proxy: FaultProxy, worker: ObjectWorker) -> None:
    """The client asks for the rest by itself, until it gives up."""
    faults = itertools.chain([Fault(cut_after_bytes=2 * 1024**2)], itertools.repeat(Fault(status=503)))
    object_proxy.plan = lambda method, path: next(faults) if path.endswith("large.zip") else None
    with pytest.raises(TrainingError):
        worker.moved("large")
    (part,) = worker.folders.cache_dir.rglob("parts/*")
    had_bytes = part.stat().st_size
    assert had_bytes >= 1024**2  # up to one chunk of what came is lost
    object_proxy.plan = lambda method, path: None
    object_proxy.ranges.clear()
    watching = Watching()
    with worker.project("large", watcher=watching) as project:
        assert content_of(project.path) == {"large.zip": LARGE}
    assert object_proxy.ranges[0] == f"bytes={had_bytes}-"
    assert watching.steps[-1] == len(LARGE)
