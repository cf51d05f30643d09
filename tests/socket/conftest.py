"""Fixtures for tests of the Python client against a scripted server."""

from __future__ import annotations

import pytest

from tests.socket.both_clients import KINDS, Make, either_client
from tfmodel_client import event_source, retrying


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client tries again almost at once."""
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(event_source, "RECONNECT_S", 0.01)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a client of either kind."""
    return lambda address, **settings: either_client(request.param, address, **settings)
