"""The range for the end of a task that waits: it knows what stands before the task, and eight in ten end inside it."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from benchmarks.eta_coverage import share_held, simulate
from protocol.end_reason import EndReason
from protocol.messages import Progress
from protocol.task import AttemptEnd, Task, TaskSpec, TaskState, Trained
from tests.sample_tasks import make_spec
from web.forecast.eta import ASSUMED_PICTURES, LEAST_TASKS, NEWEST_TASKS, UNKNOWN, UNKNOWN_AGAIN, End, forecast, plan_s

NOW_S = 1_000_000.0
#: When the first tasks had ended, and the seconds from one to the next.
PAST_S, APART_S = 500_000.0, 1_000.0


def spec(task_id: str, user_id: str = "anna", **more: Any) -> TaskSpec:
    return make_spec(task_id, user_id, **{"project_path": f"/projects/{task_id}", **more})


def done(task_id: str, took_s: float, pictures: int, number: int, waited_s: float = 0.0, **more: Any) -> Task:
    """The `number`th that ended."""
    ended_at_s = PAST_S + number * APART_S
    return Task(
        spec(task_id, **more),
        TaskState.DONE,
        trained=Trained("/model.tflite", {"images": float(pictures)}),
        submitted_at_s=ended_at_s - took_s - waited_s,
        started_at_s=ended_at_s - took_s,
        ended_at_s=ended_at_s,
    )


def pending(task_id: str, user_id: str = "anna", submitted_at_s: float = NOW_S, **more: Any) -> Task:
    return Task(spec(task_id, user_id, **more), submitted_at_s=submitted_at_s)


def running(task_id: str, user_id: str = "anna", started_at_s: float = NOW_S, **more: Any) -> Task:
    asked = spec(task_id, user_id, **more)
    return Task(asked, TaskState.PROCESSING, thread="w1", submitted_at_s=started_at_s, started_at_s=started_at_s)


def ends(*tasks: Task, workers: int = 1, **pictures: int) -> dict[str, End]:
    return forecast([(task, None) for task in tasks], workers, pictures, NOW_S)


def seconds(end: End) -> tuple[float, float, float]:
    low_at_s, middle_at_s, high_at_s, _ = end
    return low_at_s - NOW_S, middle_at_s - NOW_S, high_at_s - NOW_S


def plan(pictures: int = 100, **more: Any) -> float:
    return plan_s(spec("t", **more), pictures)


def history(factor: float, count: int = LEAST_TASKS, pictures: int = 100, **more: Any) -> list[Task]:
    """Tasks that all took `factor` of their plan, and did not wait."""
    took_s = factor * plan(pictures, **more)
    return [done(f"h{number}", took_s, pictures, number, **more) for number in range(count)]


# ---- a task that starts at once ----


def test_without_history_the_range_is_wide_and_grows_with_the_folder() -> None:
    small, large = seconds(ends(pending("t1"), t1=50)["t1"]), seconds(ends(pending("t1"), t1=5000)["t1"])
    assert small == pytest.approx([ratio * plan(50) for ratio in UNKNOWN])
    assert large[1] > 5 * small[1]


def test_larger_pictures_take_longer() -> None:
    found = ends(pending("t1", options={"imageSize": 448}), pending("t2"), workers=2, t1=400, t2=1600)
    assert found["t1"] == found["t2"]


def test_a_given_number_of_tiles_counts_like_as_many_pictures() -> None:
    cut, whole, by_itself = (spec("t", "anna", options={"tiles": tiles}) for tiles in (4, 0, "auto"))
    assert plan_s(cut, 400) == plan_s(whole, 1600)
    assert plan_s(by_itself, 400) == plan_s(whole, 400)


def test_what_tasks_took_here_is_learned_once_enough_have_ended() -> None:
    low_s, _, high_s = seconds(ends(*history(3.0, LEAST_TASKS - 1), pending("t1"), t1=400)["t1"])
    assert (low_s, high_s) == pytest.approx((UNKNOWN[0] * plan(400), UNKNOWN[2] * plan(400)))
    assert seconds(ends(*history(3.0), pending("t1"), t1=400)["t1"]) == pytest.approx([3 * plan(400)] * 3)


def test_the_range_holds_most_of_the_past_and_not_its_extremes() -> None:
    past = [done(f"h{n}", plan() * (1 + n / 10), 100, n) for n in range(NEWEST_TASKS)]
    low_s, middle_s, high_s = seconds(ends(*past, pending("t1"), t1=100)["t1"])
    assert (low_s, middle_s, high_s) == pytest.approx((1.2 * plan(), 3.95 * plan(), 6.7 * plan()))


def test_only_the_newest_tasks_count() -> None:
    old = history(9.0, NEWEST_TASKS)
    new = [done(f"n{i}", 2.0 * plan(), 100, NEWEST_TASKS + i) for i in range(NEWEST_TASKS)]
    assert seconds(ends(*new, *old, pending("t1"), t1=100)["t1"])[2] == pytest.approx(2.0 * plan())


def test_a_folder_that_was_not_counted_gets_the_range_of_plain_durations() -> None:
    tasks = [done(f"h{n}", 20.0, 100 * (n + 1), n) for n in range(LEAST_TASKS)]
    assert seconds(ends(*tasks, pending("t1"))["t1"]) == pytest.approx([20.0] * 3)
    assert seconds(ends(pending("t1"))["t1"])[1] == pytest.approx(plan(ASSUMED_PICTURES))


def test_tasks_that_did_not_run_as_a_whole_teach_nothing() -> None:
    stopped = Trained("/m", {"images": 100.0}, end_reason=EndReason.STOPPED)
    whole = Trained("/m", {"images": 100.0})
    partly = [
        *(Task(spec(f"f{n}"), TaskState.FAILED, started_at_s=1, ended_at_s=2) for n in range(9)),
        *(Task(spec(f"s{n}"), TaskState.DONE, trained=stopped, started_at_s=1, ended_at_s=2) for n in range(9)),
        *(Task(spec(f"a{n}"), TaskState.DONE, 2, trained=whole, started_at_s=1, ended_at_s=2) for n in range(9)),
    ]
    assert ends(*partly, pending("t1"), t1=100) == ends(pending("t1"), t1=100)


def test_another_task_for_a_folder_is_compared_with_such_tasks_only() -> None:
    first = history(1.0, 20)
    again = [done(f"a{n}", 0.5, 100, 50 + n, project_path=f"/projects/h{n}") for n in range(LEAST_TASKS)]
    live = pending("new"), pending("old", project_path="/projects/h1")
    early, late = ends(*first, *live, workers=2, new=100, old=100), ends(*first, *again, *live, workers=2, new=100)
    assert seconds(early["old"]) == pytest.approx([ratio * plan() for ratio in UNKNOWN_AGAIN])
    assert seconds(late["new"]) == pytest.approx([plan()] * 3)
    assert seconds(late["old"]) == pytest.approx([0.5] * 3)


def test_a_task_with_a_time_budget_is_planned_within_it_and_compared_with_such_tasks_only() -> None:
    budget = {"timeBudget": 60}
    assert seconds(ends(pending("t1", options=budget), t1=20_000)["t1"])[1] == 60.0
    late = history(1.5, pictures=20_000, options=budget)
    assert seconds(ends(*late, pending("t1", options=budget), t1=20_000)["t1"]) == pytest.approx([90.0] * 3)
    assert seconds(ends(*late, pending("t1"), t1=100)["t1"])[2] == pytest.approx(UNKNOWN[2] * plan())


def test_a_leased_task_has_run_for_some_time_already() -> None:
    task = running("t1", started_at_s=NOW_S - 2.0)
    assert seconds(ends(task, t1=100)["t1"])[1] == pytest.approx(plan() - 2.0)
    again = Task(task.spec, TaskState.PROCESSING, 2, started_at_s=1.0, ended_attempts=(lost(NOW_S - 1.0),))
    assert seconds(ends(again, t1=100)["t1"])[1] == pytest.approx(plan() - 1.0)


def test_a_task_that_says_itself_when_it_ends_is_not_forecast() -> None:
    talking, silent = Progress("t1", 1, 10.0, eta_s=30.0), Progress("t1", 1, 0.0)
    assert forecast([(running("t1"), talking)], 1, {}, NOW_S) == {}
    assert forecast([(running("t1"), silent)], 1, {}, NOW_S).keys() == {"t1"}


def lost(at_s: float) -> AttemptEnd:
    return AttemptEnd(1, "w1", "worker_lost", "lost", at_s)


# ---- a task that waits ----


def test_without_a_worker_nothing_is_promised() -> None:
    assert ends(pending("t1"), workers=0) == {}


def test_the_tasks_ahead_are_waited_for_and_shared_by_the_workers() -> None:
    queue = [*history(2.0), *(pending(f"t{n}", f"user{n}", NOW_S + n) for n in range(4))]
    pictures = {f"t{n}": 100 for n in range(4)}
    alone = ends(*queue, workers=1, **pictures)
    assert [seconds(alone[f"t{n}"])[1] / plan() for n in range(4)] == pytest.approx([2, 4, 6, 8])
    shared = ends(*queue, workers=2, **pictures)
    assert [seconds(shared[f"t{n}"])[1] / plan() for n in range(4)] == pytest.approx([2, 2, 4, 4])


def test_what_the_running_tasks_say_of_their_ends_is_waited_for() -> None:
    said = Progress("t1", 1, 10.0, eta_s=100.0, eta_low_s=80.0, eta_high_s=120.0)
    end = forecast([(running("t1"), said), (pending("t2"), None)], 1, {"t2": 100}, NOW_S)["t2"]
    assert seconds(end) == pytest.approx([ratio * (100.0 + plan()) for ratio in UNKNOWN])
    free = forecast([(running("t1"), said), (pending("t2"), None)], 2, {"t2": 100}, NOW_S)["t2"]
    assert seconds(free)[1] == pytest.approx(plan())


def test_a_worker_that_takes_no_other_task_is_not_waited_for() -> None:
    tasks = running("t1", started_at_s=NOW_S - 2.0), running("t2"), pending("t3")
    pictures = {"t1": 100, "t2": 1000, "t3": 100}
    both = forecast([(task, None) for task in tasks], 1, pictures, NOW_S, ("t1",))
    assert "t1" in both, "the end of its own task is forecast"
    assert both["t3"] == ends(*tasks[1:], workers=1, **pictures)["t3"]
    assert both["t3"] != ends(*tasks, workers=2, **pictures)["t3"]


def test_a_silent_leased_task_is_waited_for_by_what_is_left_of_its_plan() -> None:
    both = ends(running("t1", started_at_s=NOW_S - 2.0), pending("t2"), t1=1000, t2=100)
    assert seconds(both["t2"])[1] == pytest.approx(seconds(both["t1"])[1] + plan())
    overdue = ends(running("t1", started_at_s=1.0), pending("t2"), t1=1000, t2=100)
    assert seconds(overdue["t2"])[1] == pytest.approx(plan())


def test_the_order_is_priority_then_first_come() -> None:
    tasks = [
        pending("late", "ben", NOW_S - 1),
        pending("urgent", "anna", NOW_S, priority=5),
        pending("early", "anna", NOW_S - 3),
        Task(spec("back", "carl"), attempt=2, submitted_at_s=NOW_S - 9, started_at_s=1.0, ended_attempts=(lost(2.0),)),
    ]
    found = ends(*tasks)
    assert sorted(found, key=lambda task_id: found[task_id].middle_at_s) == ["urgent", "back", "early", "late"]


def waited(real: float, count: int = LEAST_TASKS) -> list[Task]:
    """Pairs of tasks: the first ran by plan, the second waited for it and ended after `real` of what was expected."""
    found = []
    for number in range(count):
        first = done(f"f{number}", plan(), 100, 2 * number)
        posted_at_s, end_at_s = first.started_at_s, first.started_at_s + real * 2 * plan()
        second = Task(
            spec(f"w{number}"),
            TaskState.DONE,
            trained=Trained("/m", {"images": 100.0}),
            submitted_at_s=posted_at_s,
            started_at_s=end_at_s - plan(),
            ended_at_s=end_at_s,
        )
        found += [first, second]
    return found


@pytest.mark.parametrize("real", [1.0, 3.0])
def test_how_late_waiting_tasks_ended_is_learned(real: float) -> None:
    """What makes them late does not matter: others that went first, or a broker that was down."""
    live = running("t1"), pending("t2")
    late = ends(*waited(real), *live, t1=100, t2=100)
    assert seconds(late["t2"]) == pytest.approx([real * 2 * plan()] * 3)
    assert seconds(late["t1"])[1] == pytest.approx(plan()), "it runs already"
    few = ends(*waited(real, LEAST_TASKS - 1), *live, t1=100, t2=100)
    assert seconds(few["t2"]) == pytest.approx([ratio * 2 * plan() for ratio in UNKNOWN])


def test_a_task_that_never_started_was_in_line_all_the_same() -> None:
    """At the POST nobody could know that the one ahead would be cancelled."""
    cancelled = [
        Task(
            spec(f"c{task.task_id}"),
            TaskState.CANCELLED,
            submitted_at_s=task.submitted_at_s - 1.0,
            ended_at_s=task.submitted_at_s + 1.0,
        )
        for task in waited(1.0)[1::2]
    ]
    found = ends(*waited(1.0), *cancelled, running("t1"), pending("t2"), t1=100, t2=100)
    expected_then_s = 2 * plan() + plan(ASSUMED_PICTURES)
    assert seconds(found["t2"])[1] == pytest.approx(2 * plan() * (2 * plan() / expected_then_s), rel=0.3)


# ---- eight in ten ----


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_eight_in_ten_end_inside_the_range_that_was_given_before_the_start(workers: int) -> None:
    held = [row for seed in (1, 2) for row in simulate(workers, days=0.8 / workers, seed=seed).held]
    assert share_held(held) >= 0.78
    assert statistics.median(row.width for row in held) < 8.0


def test_control_a_range_that_knows_no_queue_is_wrong() -> None:
    def alone(entries: Any, workers: int, pictures: Any, now_s: float) -> dict[str, End]:
        newest = max((entry for entry in entries if not entry[0].ended), key=lambda entry: entry[0].task_id)
        ended = [entry for entry in entries if entry[0].ended]
        return forecast([*ended, newest], workers, pictures, now_s)

    held = simulate(1, days=0.3, seed=3, make_forecast=alone).held
    assert share_held([row for row in held if row.waited]) < 0.5
