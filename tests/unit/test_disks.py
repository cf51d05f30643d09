"""The space of the data roots: as the system says it, and never at the cost of the event loop."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.waiting import TIMEOUT_S
from web.figures import disks
from web.figures.disks import Disks
from web.figures.free_space import Space


def test_each_folder_has_the_space_of_its_disk(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    looked = Disks([tmp_path, missing])
    spaces = asyncio.run(looked.look())
    assert looked.spaces is spaces
    assert list(spaces) == [tmp_path, missing]
    assert spaces[missing] is None
    found = spaces[tmp_path]
    assert found is not None
    assert found.total_bytes == shutil.disk_usage(tmp_path).total
    assert 0 < found.free_bytes <= found.total_bytes
    assert asyncio.run(Disks([]).look()) == {}


def test_a_disk_that_does_not_answer_holds_one_thread_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, good = tmp_path / "dead", tmp_path / "good"
    comes_back = threading.Event()
    asked: list[Path] = []

    def space_of(folder: Path) -> Space:
        asked.append(folder)
        if folder == dead:
            comes_back.wait(TIMEOUT_S)
        return Space(7, 9)

    monkeypatch.setattr(disks, "space_of", space_of)
    monkeypatch.setattr(disks, "PATIENCE_S", 0.05)

    async def run() -> tuple[Mapping[Path, Space | None], Mapping[Path, Space | None]]:
        looked = Disks([dead, good])
        await asyncio.gather(*(looked.look() for _ in range(20)))
        away = await looked.look()
        comes_back.set()
        monkeypatch.setattr(disks, "PATIENCE_S", TIMEOUT_S)
        return away, await looked.look()

    away, back = asyncio.run(run())
    assert away == {dead: None, good: Space(7, 9)}
    assert back == {dead: Space(7, 9), good: Space(7, 9)}
    assert asked.count(dead) == 1
