"""The copies of projects on a worker's disk, while several processes take and remove them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from trainer_worker.checkouts.shelf import Shelf

URL = "s3://photos/users/42"


def test_a_copy_that_another_process_removes_at_that_moment_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, removed = Path.mkdir, threading.Event()

    def make_and_lose(path: Path, *args: Any, **more: Any) -> None:
        make(path, *args, **more)
        if path.name.endswith(".0") and not removed.is_set():
            removed.set()
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", make_and_lose)
    with Shelf(tmp_path, 10**6).taken(URL) as place:
        assert removed.is_set()
        assert place.name.endswith(".1")
    with Shelf(tmp_path, 10**6).taken(URL) as place:
        assert place.name.endswith(".0")
