"""Object storage that hangs or is busy: its own callers get an answer in time, and all others notice nothing.

The front-end of these tests gives the storage little time. Those of the other tests have the usual time-out, which a
storage that works keeps on a busy machine as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.fault_proxy import Fault
from tests.object_servers import refuse_missing_packages
from tests.security.raw_http import RawAnswer
from tests.socket.browsing import listed
from tests.socket.object_projects import ROOT, Service, object_service
from tests.waiting import wait_until

PROJECT = f"{ROOT}/anna/flowers"
POSTED = {"userId": "anna", "projectId": "p", "projectDir": PROJECT, "trainType": "classification"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    refuse_missing_packages()
    with object_service(tmp_path_factory.mktemp("hanging-storage"), STORAGE_TIMEOUT_S=2) as running:
        yield running


@pytest.fixture(scope="module")
def task_id(service: Service) -> str:
    """Of a finished classifier in PROJECT."""
    return service.finish("anna/flowers")


def post(service: Service) -> RawAnswer:
    return service.ask("POST /v1/tasks", body=POSTED)


def check_away(service: Service, answer: RawAnswer) -> None:
    assert (answer.status, answer.code) == (503, "storage_away"), answer
    assert answer.headers["retry-after"]
    assert service.proxy.endpoint not in answer.body.decode()


def local_calls_s(service: Service) -> float:
    """How many seconds some calls take that need no object storage."""
    began_s = time.monotonic()
    assert service.ask("GET /healthz").status == 200
    assert len(listed(service.programs)["folders"]) == 2
    assert listed(service.programs, service.programs.projects)["folders"]
    local = service.programs.post(projectDir="anna/flowers")
    assert local.status == 200, local
    assert service.programs.call("DELETE", f"/v1/tasks/{local.body['taskId']}").status == 200
    return time.monotonic() - began_s


def test_storage_that_hangs_costs_its_own_callers_an_answer_and_others_nothing(service: Service, task_id: str) -> None:
    calls = (
        f"GET /v1/folders?path={quote(ROOT)}",
        f"GET /v1/thumbnails?path={quote(PROJECT)}/images/plum/000.jpg",
        f"GET /v1/tasks/{task_id}/artifacts",
        f"GET /v1/tasks/{task_id}/report",
        f"GET /v1/tasks/{task_id}/log",
        f"GET /v1/corrections?userId=anna&projectDir={quote(PROJECT)}",
    )
    limit_s = 5.0 + 10 * local_calls_s(service)  # Few seconds, unless the machine is so busy that all calls are slow.
    with service.proxy.always(Fault(hangs_until=threading.Event())), ThreadPoolExecutor(40) as pool:
        # More calls than there are threads for the storage.
        asked = [pool.submit(service.ask, call) for call in calls for _ in range(4)]
        posted = [pool.submit(post, service) for _ in range(4)]
        for _ in range(10):
            assert local_calls_s(service) < limit_s
        for each in (*asked, *posted):
            check_away(service, each.result())
    wait_until(lambda: service.ask(calls[2]).status == 200, "an answer of the storage that goes on")


def test_storage_that_is_busy_costs_its_callers_an_answer(service: Service, task_id: str) -> None:
    with service.proxy.always(Fault(status=503)):
        check_away(service, post(service))
    wait_until(lambda: post(service).status == 202, "a task of the storage that goes on")
