"""Fixtures for tests of the Python client against a scripted server, and for tests of object storage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage import object_store
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.object_servers import CREDENTIALS, ObjectServer, moto
from tests.socket.both_clients import KINDS, Make, either_client
from tfmodel_client import event_source, retrying


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries again almost at once."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(event_source, "RECONNECT_S", 0.01)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores that are opened from now on try a request again almost at once."""
    monkeypatch.setattr(object_store, "_PAUSES_S", (0.01, 0.05))


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a client of either kind."""
    return lambda address, **settings: either_client(request.param, address, **settings)


@pytest.fixture(scope="module")
def object_server() -> Iterator[ObjectServer]:
    """A server of object storage with an empty bucket, for all tests of a file."""
    with moto() as server:
        yield server


@pytest.fixture
def object_proxy(object_server: ObjectServer) -> Iterator[FaultProxy]:
    """A proxy in front of that server, which can break requests."""
    with fault_proxy(object_server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def storage_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of this process has the credentials of the servers of the tests."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
