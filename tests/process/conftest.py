"""One running service for all tests of this folder that leave it as they found it; it takes ten seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.object_servers import BUCKET, CREDENTIALS, ObjectServer, are_installed, moto
from tests.otlp_receiver import OtlpReceiver
from tests.process.service_under_test import ServiceUnderTest, service_copy
from tests.process.small_projects import make_digits_project


@pytest.fixture(scope="session")
def collector() -> Iterator[OtlpReceiver]:
    """Has the traces of the shared service."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The worker's cache of all services here: only the first one converts the backbone."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer | None]:
    """Object storage with a data root of the shared service; None where the packages for it are not installed."""
    if not are_installed("obstore", "moto"):
        yield None
        return
    with moto() as server:
        yield server


@pytest.fixture(scope="session")
def started(collector: OtlpReceiver, cache_dir: str, object_server: ObjectServer | None) -> Iterator[ServiceUnderTest]:
    # It trains more tasks than a trainer process does by default, and a test must not meet the moment of replacement.
    # On a busy machine an agent may be silent for longer than the default lease, and a step of a training may take
    # longer than a cancelled one gets by default before it is killed.
    patient = {"BROKER_LEASE_TTL_S": "60", "WORKER_STOP_GRACE_S": "60", "WORKER_CACHE_DIR": cache_dir}
    patient["WORKER_SHARE_ABOVE_PICTURES"] = "200"  # test_help.py has a folder of that size
    if object_server is not None:
        roots = f"projects,s3://{BUCKET}/users"
        patient |= {"WEB_DATA_ROOTS": roots, "STORAGE_ENDPOINT": object_server.endpoint, "STORAGE_ALLOW_HTTP": "true"}
    with service_copy(WORKER_TASKS_PER_PROCESS="1000", **patient) as service:
        service.environ |= collector.environ | CREDENTIALS
        done = service.command("start")
        assert done.returncode == 0, done.stdout + done.stderr
        yield service


@pytest.fixture
def service(started: ServiceUnderTest) -> ServiceUnderTest:
    """The shared service, with its one worker free."""
    started.wait_until_free()
    return started


@pytest.fixture
def stopped(cache_dir: str) -> Iterator[ServiceUnderTest]:
    """A service of the test's own, not started; one trainer process is enough for it."""
    with service_copy(WORKER_KEEP_SPARE="false", WORKER_CACHE_DIR=cache_dir) as service:
        yield service


@pytest.fixture
def project(service: ServiceUnderTest, request: pytest.FixtureRequest) -> Path:
    """A new project of two classes of digits, inside the shared service's data root."""
    return make_digits_project(service.projects / request.node.name)
