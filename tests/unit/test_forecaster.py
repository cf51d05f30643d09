"""One forecast for all who ask, made while nobody else is held up."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.messages import Tick
from protocol.task import Task, TaskState
from tests.sample_tasks import make_spec
from tests.waiting import TIMEOUT_S
from web.broker_link.task_cache import TaskCache
from web.forecast import forecaster
from web.forecast.eta import End, forecast
from web.forecast.forecaster import COUNTING_S, Forecaster
from web.forecast.picture_counts import count_pictures

TICK = Tick(1, 1, 1, 1, 1)


def pictures_of(task: Task) -> int:
    return count_pictures(task.spec.project_path)


def make_cache(folder: Path, count: int) -> tuple[TaskCache, list[Task]]:
    cache = TaskCache(1000)
    tasks = [Task(make_spec(f"t{number}", project_path=str(folder))) for number in range(count)]
    for number, task in enumerate(tasks, 1):
        cache.put(task, number)
    return cache, tasks


def test_many_who_ask_at_once_share_a_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, tasks = make_cache(tmp_path, 50)
    made = []

    def counted(*arguments: Any) -> dict[str, End]:
        made.append(1)
        return forecast(*arguments)

    monkeypatch.setattr(forecaster, "forecast", counted)

    async def run() -> list[End | None]:
        asked = Forecaster(cache, lambda: TICK, pictures_of)
        return await asyncio.gather(*map(asked.end_of, tasks))

    assert all(asyncio.run(run()))
    assert len(made) <= 3


@pytest.mark.parametrize(("draining", "has_forecast"), [(0, True), (1, False)])
def test_no_start_is_promised_while_all_workers_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draining: int, has_forecast: bool
) -> None:
    cache, tasks = make_cache(tmp_path, 1)
    monkeypatch.setattr(forecaster, "PATIENCE_S", TIMEOUT_S)  # The first forecast may take long on a busy machine.

    async def run() -> End | None:
        return await Forecaster(cache, lambda: replace(TICK, draining=draining), pictures_of).end_of(tasks[0])

    assert (asyncio.run(run()) is not None) is has_forecast


def test_no_start_is_promised_of_a_busy_worker_that_drains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, tasks = make_cache(tmp_path, 2)
    cache.put(replace(tasks[0], state=TaskState.PROCESSING, started_at_s=time.time()), 3)
    monkeypatch.setattr(forecaster, "PATIENCE_S", TIMEOUT_S)
    tick = Tick(3, 1, 1, 0, 1, last_tasks=(tasks[0].task_id,))

    async def run() -> dict[str, End]:
        return await Forecaster(cache, lambda: tick, pictures_of).ends_of(tasks)

    assert asyncio.run(run()).keys() == {tasks[0].task_id}


def test_a_forecast_that_takes_long_holds_up_neither_the_event_loop_nor_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, tasks = make_cache(tmp_path, 1)
    go_on = threading.Event()

    def slow(*arguments: Any) -> dict[str, End]:
        go_on.wait(10.0)
        return forecast(*arguments)

    monkeypatch.setattr(forecaster, "forecast", slow)
    monkeypatch.setattr(forecaster, "PATIENCE_S", 0.01)

    async def run() -> tuple[End | None, End | None]:
        asked = Forecaster(cache, lambda: TICK, pictures_of)
        early = await asked.end_of(tasks[0])
        go_on.set()
        monkeypatch.setattr(forecaster, "PATIENCE_S", 10.0)
        return early, await asked.end_of(tasks[0])

    early, later = asyncio.run(run())
    assert early is None
    assert later is not None


def test_folders_are_counted_once_and_forgotten_with_their_tasks(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    cache, tasks = make_cache(tmp_path, 1)

    asked = Forecaster(cache, lambda: TICK, pictures_of)
    asked.make(cache.entries(), workers=1)
    (tmp_path / "images" / "b.jpg").touch()
    later = Task(make_spec("later", project_path=str(tmp_path)))
    cache.put(later, 2)
    asked.make(cache.entries(), workers=1)
    assert asked.pictures == {"t0": 1, "later": 2}
    cache.put(replace(tasks[0], state=TaskState.CANCELLED), 3)
    asked.make(cache.entries(), workers=1)
    assert asked.pictures == {"later": 2}


def test_counting_ends_in_time_and_the_newest_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, tasks = make_cache(tmp_path, 3)
    clock = [100.0]

    def slow_count(task: Task) -> int:
        clock[0] += 0.6 * COUNTING_S
        return 7

    monkeypatch.setattr("web.forecast.forecaster.time.monotonic", lambda: clock[0])
    asked = Forecaster(cache, lambda: TICK, slow_count)
    asked.make(cache.entries(), workers=1)
    assert asked.pictures == {tasks[2].task_id: 7, tasks[1].task_id: 7}
    asked.make(cache.entries(), workers=1)
    assert len(asked.pictures) == 3


@pytest.mark.parametrize("tick", [None, Tick(1, 0, 0, 0, 1)])
def test_nothing_is_said_of_a_waiting_task_without_broker_or_worker(tmp_path: Path, tick: Tick | None) -> None:
    cache, tasks = make_cache(tmp_path, 1)

    async def run() -> End | None:
        return await Forecaster(cache, lambda: tick, pictures_of).end_of(tasks[0])

    assert asyncio.run(run()) is None


def test_an_ended_task_is_not_forecast(tmp_path: Path) -> None:
    cache, _ = make_cache(tmp_path, 1)
    ended = Task(make_spec("t9"), TaskState.DONE)

    async def run() -> End | None:
        return await Forecaster(cache, lambda: TICK, pictures_of).end_of(ended)

    assert asyncio.run(run()) is None


def test_nobody_waits_for_a_forecast_that_has_to_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forecast of very many tasks takes seconds. New tasks come all the time, and lists of them must stay quick."""
    cache, tasks = make_cache(tmp_path, 1)
    monkeypatch.setattr(forecaster, "PATIENCE_S", TIMEOUT_S)

    async def run() -> tuple[dict[str, End], dict[str, End]]:
        asked = Forecaster(cache, lambda: TICK, pictures_of)
        before = await asked.ends_of(tasks)
        asked._due_at_s += 2 * TIMEOUT_S
        new = Task(make_spec("new", project_path=str(tmp_path)))
        cache.put(new, 2)
        async with asyncio.timeout(TIMEOUT_S / 2):
            return before, await asked.ends_of([*tasks, new])

    before, after = asyncio.run(run())
    assert before.keys() == after.keys() == {tasks[0].task_id}


def test_nobody_waits_again_for_what_the_last_forecast_could_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, tasks = make_cache(tmp_path, 1)
    made = []

    def nothing(*_: Any) -> dict[str, End]:
        made.append(1)
        return {}

    monkeypatch.setattr(forecaster, "forecast", nothing)

    async def run() -> None:
        asked = Forecaster(cache, lambda: None, pictures_of)
        for _ in range(3):
            assert await asked.ends_of(tasks) == {}
            asked._due_at_s += TIMEOUT_S
            assert asked._under_way is not None
            assert asked._under_way.done(), "another forecast has been ordered"

    asyncio.run(run())
    assert made == [1]
