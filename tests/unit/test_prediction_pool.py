"""The pool of runtime processes: what a death, a hang or a crowd costs, and that no process is left over."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from protocol.artifact import Artifact
from protocol.prediction import Labels, ModelFile, PictureAnswer, SentPicture
from tests.prediction_projects import RUNTIME, limits, plain, published
from tests.runnable_tflite import classified, colour_classifier
from tests.sample_tasks import hex_id, make_spec
from tests.waiting import TIMEOUT_S, wait_until
from web.answers.refusal import Refusal
from web.prediction import pool as pool_file
from web.prediction import runtime_process
from web.prediction.picture_queue import FATAL, MOST_FATAL_PICTURES, NOT_TRIED
from web.prediction.pool import RuntimePool


def model(number: int = 1, name: str = "model.tflite", user_id: str = "anna") -> ModelFile:
    return ModelFile(make_spec(hex_id(number), user_id), Artifact(name, 1, f"{number:064x}"))


def words(*contents: str) -> list[SentPicture]:
    """Pictures that the scripted runtime obeys."""
    return [SentPicture(f"{number}.png", content.encode()) for number, content in enumerate(contents)]


def in_pool(folder: Path, work: Callable[[RuntimePool], Awaitable[Any]], processes: int = 2, **more: Any) -> Any:
    """Run `work` on a pool of scripted processes; afterwards none of them is left."""

    async def run() -> Any:
        script = (sys.executable, "-m", "tests.scripted_runtime", str(folder))
        pool = RuntimePool(script, processes, limits(folder, more.pop("picture_s", 60.0)), **more)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await work(pool)
        finally:
            await pool.close()

    before = set(psutil.Process().children())
    result = asyncio.run(run())
    assert set(psutil.Process().children()) <= before
    return result


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def name_of(answer: PictureAnswer) -> str:
    assert isinstance(answer, Labels)
    return answer.labels[1].label


def came_together(answer: PictureAnswer) -> float:
    """How many pictures the process got at once."""
    assert isinstance(answer, Labels)
    return answer.labels[0].probability


def process_of(answer: PictureAnswer) -> str:
    assert isinstance(answer, Labels)
    return answer.labels[0].label


def test_calls_share_processes_and_get_their_own_answers_in_order(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        calls = [pool.predict(model(), words(*["ok"] * (1 + number % 3))) for number in range(20)]
        answers = await asyncio.gather(*calls)
        for number, answered in enumerate(answers):
            assert [name_of(answer) for answer in answered] == [f"{i}.png" for i in range(1 + number % 3)]
        assert len({process_of(answer) for answered in answers for answer in answered}) <= 2
        assert max(came_together(answer) for answered in answers for answer in answered) > 1

    in_pool(tmp_path, work)


def test_a_process_that_has_the_model_is_preferred(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        first, second = await asyncio.gather(pool.predict(model(1), words("ok")), pool.predict(model(2), words("ok")))
        if process_of(first[0]) == process_of(second[0]):
            pytest.skip("one process was quick enough for both")
        for _ in range(3):
            assert process_of((await pool.predict(model(2), words("ok")))[0]) == process_of(second[0])
            assert process_of((await pool.predict(model(1), words("ok")))[0]) == process_of(first[0])

    in_pool(tmp_path, work)


@pytest.mark.door(24)
def test_a_picture_that_ends_the_process_costs_nobody_else_an_answer(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        bad, good, also = await asyncio.gather(
            pool.predict(model(), words("ok", "die", "ok")),
            pool.predict(model(), words("ok", "ok")),
            pool.predict(model(), words("ok")),
        )
        assert [answer == FATAL for answer in bad] == [False, True, False]
        assert FATAL not in [*good, *also]

    in_pool(tmp_path, work, processes=1)


def test_a_process_that_dies_once_costs_time_only(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        assert FATAL not in await pool.predict(model(), words("ok", "die-once", "ok"))

    in_pool(tmp_path, work, processes=1)


def test_many_hostile_pictures_of_a_call_end_few_processes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "web")

    async def work(pool: RuntimePool) -> None:
        answers = await pool.predict(model(), words(*["die"] * 32))
        assert answers == [FATAL] * MOST_FATAL_PICTURES + [NOT_TRIED] * (32 - MOST_FATAL_PICTURES)

    in_pool(tmp_path, work, processes=1)
    assert sum("process_started" in record.message for record in caplog.records) <= 2 * MOST_FATAL_PICTURES


# picture_s also bounds the start of the process that takes its place. A process that lies is killed at once.
@pytest.mark.parametrize(("word", "picture_s"), [("stop", 3.0), ("nonsense", 60.0)])
def test_a_process_that_hangs_or_lies_is_killed(
    tmp_path: Path, word: str, picture_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_process, "KILL_AFTER_S", 0.1)

    async def work(pool: RuntimePool) -> None:
        bad, good = await asyncio.gather(pool.predict(model(), words(word)), pool.predict(model(), words("ok")))
        assert bad == [FATAL]
        assert FATAL not in good

    in_pool(tmp_path, work, processes=1, picture_s=picture_s)


def test_a_model_that_ends_the_process_is_refused(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        with pytest.raises(Refusal) as refusal:
            await pool.predict(model(2, name="die"), words("ok"))
        assert refusal.value.problem.code == "predict_failed"
        assert FATAL not in await pool.predict(model(), words("ok"))

    in_pool(tmp_path, work)


def test_processes_that_die_side_by_side_are_not_two_tries_of_a_picture(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        await asyncio.gather(pool.predict(model(1), words("ok")), pool.predict(model(2), words("ok")))
        calling = asyncio.create_task(pool.predict(model(3), words(*["ok"] * 2)))
        await asyncio.sleep(0)  # both processes have a picture now
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        assert FATAL not in await calling

    in_pool(tmp_path, work)


def test_a_runtime_that_can_not_be_started_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        for command in ([str(tmp_path / "missing")], [sys.executable, "-c", "raise SystemExit(3)"]):
            pool = RuntimePool(command, 1, limits(tmp_path))
            with pytest.raises(Refusal) as refusal:
                await pool.predict(model(), words("ok"))
            assert refusal.value.problem.code == "predict_failed"
            await pool.close()

    asyncio.run(run())


def test_too_many_pictures_are_refused_and_those_of_one_user_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_file, "MOST_PICTURES", 6)
    monkeypatch.setattr(pool_file, "MOST_PICTURES_OF_USER", 4)

    async def work(pool: RuntimePool) -> None:
        anna = asyncio.create_task(pool.predict(model(), words(*["ok"] * 3)))
        await asyncio.sleep(0)
        for user, count, words_of_refusal in (("anna", 2, "of this user"), ("ben", 4, "Too many")):
            with pytest.raises(Refusal, match=words_of_refusal) as refusal:
                await pool.predict(model(2, user_id=user), words(*["ok"] * count))
            assert (refusal.value.status_code, refusal.value.headers) == (429, {"Retry-After": "2"})
        ben = await pool.predict(model(2, user_id="ben"), words(*["ok"] * 3))
        assert FATAL not in [*await anna, *ben]

    in_pool(tmp_path, work)


def test_a_caller_who_goes_away_drops_what_still_waits(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        gone = asyncio.create_task(pool.predict(model(), words(*["ok"] * 32)))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        (answer,) = await pool.predict(model(), words("ok"))
        assert came_together(answer) == 1

    in_pool(tmp_path, work, processes=1)


def test_an_idle_process_ends_and_another_one_is_started_when_it_is_needed(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        (before,) = await pool.predict(model(), words("ok"))
        (pid,) = pool.pids
        await asyncio.to_thread(wait_until, lambda: not psutil.pid_exists(pid), "the end of the idle process")
        assert not pool.pids
        (after,) = await pool.predict(model(), words("ok"))
        assert process_of(before) != process_of(after)

    in_pool(tmp_path, work, idle_s=0.2)


def test_processes_that_died_while_they_were_idle_cost_nothing(tmp_path: Path) -> None:
    async def work(pool: RuntimePool) -> None:
        await asyncio.gather(*(pool.predict(model(number), words(*["ok"] * 8)) for number in range(4)))
        assert len(pool.pids) == 3
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(runs, pool.pids)), "the end of the processes")
        assert FATAL not in await pool.predict(model(), words("ok"))

    in_pool(tmp_path, work, processes=3)


def test_a_real_pool_answers_for_two_models_at_once(tmp_path: Path) -> None:
    models = [published(tmp_path, colour_classifier(weights=number), task=number) for number in (100, 200)]

    async def run() -> None:
        pool = RuntimePool(RUNTIME, 2, limits(tmp_path))
        colours = [(number, 100, 200) for number in range(0, 240, 20)]
        calls = [pool.predict(models[number % 2], [plain(colour)]) for number, colour in enumerate(colours)]
        for colour, (answer,) in zip(colours, await asyncio.gather(*calls), strict=True):
            assert isinstance(answer, Labels)
            assert [label.probability for label in answer.labels] == pytest.approx(classified(*colour), abs=1e-6)
        await pool.close()

    asyncio.run(run())
