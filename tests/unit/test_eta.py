"""The range for the end of a task that waits: eight in ten end inside it, and it knows what stands before it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.end_reason import EndReason
from protocol.messages import Progress
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from protocol.task import AttemptEnd, Task, TaskSpec, TaskState, Trained
from tests.sample_tasks import make_spec
from web.eta import LEAST_ERRORS, MOST_TASKS, S_PER_PICTURE, UNKNOWN, End, Past, forecast, in_order, past_errors, plan_s

NOW_S = 1_000_000.0
#: When the first tasks had ended, and the seconds from one to the next.
PAST_S, APART_S = 500_000.0, 1_000.0
#: So many finished tasks are enough to learn from.
ENOUGH = LEAST_ERRORS + 1


def spec(task_id: str, user_id: str = "anna", **more: Any) -> TaskSpec:
    return make_spec(task_id, user_id, **{"project_path": f"/projects/{task_id}", **more})


def done(task_id: str, took_s: float, pictures: int, number: int, **more: Any) -> Task:
    """The `number`th that ended; it never waited."""
    ended_at_s = PAST_S + number * APART_S
    trained = Trained("/model.tflite", {"images": float(pictures)})
    return Task(
        spec(task_id, **more),
        TaskState.DONE,
        trained=trained,
        submitted_at_s=ended_at_s - took_s,
        started_at_s=ended_at_s - took_s,
        ended_at_s=ended_at_s,
    )


def pending(task_id: str, user_id: str = "anna", submitted_at_s: float = NOW_S, **more: Any) -> Task:
    return Task(spec(task_id, user_id, **more), submitted_at_s=submitted_at_s)


def running(task_id: str, user_id: str = "anna", started_at_s: float = NOW_S, **more: Any) -> Task:
    return Task(spec(task_id, user_id, **more), TaskState.PROCESSING, thread="w1", started_at_s=started_at_s)


def ends(*tasks: Task, workers: int = 1, **pictures: int) -> dict[str, End]:
    return forecast([(task, None) for task in tasks], workers, pictures, NOW_S)


def seconds(end: End) -> tuple[float, float, float]:
    low_at_s, middle_at_s, high_at_s = end
    return low_at_s - NOW_S, middle_at_s - NOW_S, high_at_s - NOW_S


def history(factor: float, count: int = ENOUGH, pictures: int = 100, **more: Any) -> list[Task]:
    """Tasks that all took `factor` of their plan."""
    took_s = factor * plan_s(spec("h", **more), pictures)
    return [done(f"h{number}", took_s, pictures, number, **more) for number in range(count)]


# ---- running ----


def test_without_history_the_range_is_wide_and_grows_with_the_folder() -> None:
    small, large = seconds(ends(pending("t1"), t1=50)["t1"]), seconds(ends(pending("t1"), t1=5000)["t1"])
    plan = plan_s(spec("t1"), 50)
    assert small == pytest.approx([factor * plan for factor in UNKNOWN])
    assert large[1] > 10 * small[1]


def test_what_tasks_took_here_is_learned_once_enough_have_ended() -> None:
    plan = plan_s(spec("t1"), 400)
    low_s, _, high_s = seconds(ends(*history(3.0, ENOUGH - 1), pending("t1"), t1=400)["t1"])
    assert (low_s, high_s) == pytest.approx((UNKNOWN[0] * plan, UNKNOWN[2] * plan))
    assert seconds(ends(*history(3.0), pending("t1"), t1=400)["t1"]) == pytest.approx([3 * plan] * 3)


def test_only_the_newest_tasks_count() -> None:
    old = history(9.0, MOST_TASKS)
    new = [done(f"n{i}", 2.0 * plan_s(spec("n"), 100), 100, 50 + i) for i in range(MOST_TASKS)]
    assert seconds(ends(*new, *old, pending("t1"), t1=100)["t1"])[2] == pytest.approx(2.0 * plan_s(spec("t"), 100))


def test_a_folder_that_was_not_counted_gets_the_range_of_plain_durations() -> None:
    tasks = [done(f"h{n}", 20.0, 100 * (n + 1), n) for n in range(ENOUGH)]
    assert seconds(ends(*tasks, pending("t1"))["t1"]) == pytest.approx([20.0] * 3)


def test_tasks_that_did_not_run_as_a_whole_teach_nothing() -> None:
    stopped = Trained("/m", {"images": 100.0}, end_reason=EndReason.STOPPED)
    partly = [
        *(Task(spec(f"f{n}"), TaskState.FAILED, started_at_s=1, ended_at_s=2) for n in range(9)),
        *(Task(spec(f"s{n}"), TaskState.DONE, trained=stopped, started_at_s=1, ended_at_s=2) for n in range(9)),
    ]
    assert ends(*partly, pending("t1"), t1=100) == ends(pending("t1"), t1=100)


def test_another_task_for_a_folder_is_compared_with_such_tasks_only() -> None:
    first = history(1.0, 20)
    again = [done(f"a{n}", 0.5, 100, 50 + n, project_path=f"/projects/h{n}") for n in range(ENOUGH)]
    both = ends(
        *first, *again, pending("new"), pending("old", project_path="/projects/h1"), workers=2, new=100, old=100
    )
    assert seconds(both["new"]) == pytest.approx([plan_s(spec("t"), 100)] * 3)
    assert seconds(both["old"]) == pytest.approx([0.5] * 3)


def test_a_time_budget_bounds_the_range_until_its_tasks_have_shown_better() -> None:
    budget = {"timeBudget": 60}
    low_s, middle_s, high_s = seconds(ends(pending("t1", options=budget), t1=20_000)["t1"])
    assert low_s < middle_s == 60.0 < high_s == pytest.approx(66.0)
    late = history(1.5, pictures=20_000, options=budget)
    assert seconds(ends(*late, pending("t1", options=budget), t1=20_000)["t1"]) == pytest.approx([90.0] * 3)
    assert seconds(ends(*late, pending("t1"), t1=100)["t1"])[2] == pytest.approx(UNKNOWN[2] * plan_s(spec("t"), 100))


def test_a_leased_task_has_run_for_some_time_already() -> None:
    task = running("t1", started_at_s=NOW_S - 2.0)
    middle_s = seconds(ends(task, t1=100)["t1"])[1]
    assert middle_s == pytest.approx(plan_s(task.spec, 100) - 2.0)
    again = Task(task.spec, TaskState.PROCESSING, 2, started_at_s=1.0, ended_attempts=(lost(NOW_S - 1.0),))
    assert seconds(ends(again, t1=100)["t1"])[1] == pytest.approx(plan_s(task.spec, 100) - 1.0)


def test_a_task_that_says_itself_when_it_ends_is_not_forecast() -> None:
    talking, silent = Progress("t1", 1, 10.0, eta_s=30.0), Progress("t1", 1, 0.0)
    assert forecast([(running("t1"), talking)], 1, {}, NOW_S) == {}
    assert forecast([(running("t1"), silent)], 1, {}, NOW_S).keys() == {"t1"}


def test_every_train_type_has_a_plan() -> None:
    assert S_PER_PICTURE.keys() == OPTIONS_BY_TRAIN_TYPE.keys()


def lost(at_s: float) -> AttemptEnd:
    return AttemptEnd(1, "w1", "worker_lost", "lost", at_s)


# ---- waiting ----


def test_without_a_worker_nothing_is_promised() -> None:
    assert ends(pending("t1"), workers=0) == {}


def test_the_tasks_ahead_are_waited_for_and_shared_by_the_workers() -> None:
    queue = [*history(2.0), *(pending(f"t{n}", f"user{n}", NOW_S + n) for n in range(4))]
    pictures = {f"t{n}": 100 for n in range(4)}
    each_s = 2 * plan_s(spec("t"), 100)
    alone = ends(*queue, workers=1, **pictures)
    assert [seconds(alone[f"t{n}"])[1] for n in range(4)] == pytest.approx([each_s * (n + 1) for n in range(4)])
    shared = ends(*queue, workers=2, **pictures)
    assert [seconds(shared[f"t{n}"])[1] for n in range(4)] == pytest.approx([each_s, each_s, 2 * each_s, 2 * each_s])


def test_what_the_running_tasks_say_of_their_ends_is_waited_for() -> None:
    own = plan_s(spec("t2"), 100)
    said = Progress("t1", 1, 10.0, eta_s=100.0, eta_low_s=80.0, eta_high_s=120.0)
    end = forecast([(running("t1"), said), (pending("t2"), None)], 1, {"t2": 100}, NOW_S)["t2"]
    low_s, middle_s, high_s = seconds(end)
    assert middle_s == pytest.approx(100.0 + own)
    assert 80.0 - own < low_s < 81.0 + own
    assert 120.0 < high_s < 122.0 + 2 * own
    free = forecast([(running("t1"), said), (pending("t2"), None)], 2, {"t2": 100}, NOW_S)["t2"]
    assert seconds(free)[1] == pytest.approx(own)


def test_a_silent_leased_task_is_waited_for_by_what_is_left_of_its_plan() -> None:
    tasks = [running("t1", started_at_s=NOW_S - 2.0), pending("t2")]
    both = ends(*tasks, t1=1000, t2=100)
    own_s = plan_s(spec("t2"), 100)
    assert seconds(both["t2"])[1] == pytest.approx(seconds(both["t1"])[1] + own_s)
    overdue = [running("t1", started_at_s=1.0), pending("t2")]
    assert seconds(ends(*overdue, t1=1000, t2=100)["t2"])[1] == pytest.approx(own_s)


def test_the_order_is_priority_then_fair_between_users_then_first_come() -> None:
    tasks = [
        running("r", "anna"),
        *(pending(f"anna{n}", "anna", NOW_S + n) for n in range(3)),
        pending("ben0", "ben", NOW_S + 5),
        pending("ben1", "ben", NOW_S + 6),
        pending("urgent", "anna", NOW_S + 9, priority=5),
        Task(spec("back", "carl"), attempt=2, submitted_at_s=NOW_S + 8, ended_attempts=(lost(NOW_S),)),
    ]
    assert [task.task_id for task in in_order(tasks)] == ["urgent", "back", "ben0", "anna0", "ben1", "anna1", "anna2"]


# ---- eight in ten ----


def live_queue(chosen: random.Random, waiting: int) -> tuple[list[Task], dict[str, int]]:
    pictures = {f"q{number:02}": chosen.randint(50, 2000) for number in range(waiting)}
    tasks = [pending(task_id, f"user{chosen.randrange(4)}", NOW_S + n) for n, task_id in enumerate(pictures)]
    return tasks, pictures


def real_ends(order: Sequence[Task], took_s: dict[str, float], workers: int) -> dict[str, float]:
    free_at_s, found = [NOW_S] * workers, {}
    for task in order:
        found[task.task_id] = free_at_s[0] + took_s[task.task_id]
        heapq.heapreplace(free_at_s, found[task.task_id])
    return found


def share_inside(workers: int, waiting: int, slower: float = 1.0, blind: bool = False) -> float:
    """Of simulated queues: each task takes its plan times 1.7, times chance; `slower`: times that from now on.

    blind: each range is made as if the task stood alone.
    """
    chosen, inside, trials = random.Random(1), 0, 150
    for _ in range(trials):

        def seconds_for(pictures: int) -> float:
            return 1.7 * chosen.lognormvariate(0.0, 0.4) * plan_s(spec("t"), pictures)

        past = [done(f"h{n}", seconds_for(size := chosen.randint(50, 2000)), size, n) for n in range(30)]
        tasks, pictures = live_queue(chosen, waiting)
        took_s = {task_id: slower * seconds_for(number) for task_id, number in pictures.items()}
        if blind:
            found = {t.task_id: ends(*past, t, workers=workers, **pictures)[t.task_id] for t in tasks}
        else:
            found = ends(*past, *tasks, workers=workers, **pictures)
        real = real_ends(in_order(tasks), took_s, workers)
        inside += sum(found[task_id].low_at_s <= real[task_id] <= found[task_id].high_at_s for task_id in real)
    return inside / (trials * waiting)


@pytest.mark.parametrize(("workers", "waiting"), [(1, 1), (1, 12), (2, 12), (4, 12)])
def test_eight_in_ten_end_inside_the_range_that_was_given_before_the_start(workers: int, waiting: int) -> None:
    assert 0.74 <= share_inside(workers, waiting) <= 0.88


def share_inside_while_it_drifts(waiting: int) -> float:
    """Of one worker's life with `waiting` tasks always in line, whose speed walks by a tenth from task to task."""
    chosen, now_s, pace, inside = random.Random(3), NOW_S, 1.7, []
    line: list[Task] = []
    past: list[Task] = []
    promised: dict[str, End] = {}
    pictures: dict[str, int] = {}
    while len(past) < 150:
        while len(line) <= waiting:
            task = pending(f"t{len(pictures)}", submitted_at_s=now_s)
            pictures[task.task_id] = chosen.choice([40, 100, 400])
            line.append(task)
            found = forecast([(one, None) for one in (*past, *line)], 1, pictures, now_s)
            promised[task.task_id] = found[task.task_id]
        task, began_s = line.pop(0), now_s
        pace *= chosen.lognormvariate(0.0, 0.1)
        now_s += pace * chosen.lognormvariate(0.0, 0.2) * plan_s(task.spec, pictures[task.task_id])
        trained = Trained("/m", {"images": float(pictures[task.task_id])})
        done_task = replace(task, state=TaskState.DONE, started_at_s=began_s, ended_at_s=now_s, trained=trained)
        past.append(done_task)
        inside.append(promised[task.task_id].low_at_s <= now_s <= promised[task.task_id].high_at_s)
    later = inside[30:]
    return sum(later) / len(later)


@pytest.mark.parametrize("waiting", [1, 5])
def test_a_machine_whose_speed_drifts_is_followed(waiting: int) -> None:
    assert share_inside_while_it_drifts(waiting) >= 0.7


def test_tasks_that_were_posted_at_once_teach_while_the_last_of_them_wait() -> None:
    burst = [replace(task, submitted_at_s=1.0) for task in history(3.0)]
    assert seconds(ends(*burst, pending("t1"), t1=100)["t1"]) == pytest.approx([3 * plan_s(spec("t1"), 100)] * 3)


def test_a_past_error_is_that_of_the_forecast_that_was_made_then() -> None:
    past = [Past(0.0, 10.0, 2.0), Past(0.0, 20.0, 4.0), Past(15.0, 30.0, 4.0), Past(25.0, 40.0, 6.0)]
    assert past_errors(past) == pytest.approx([4.0 / 2.0, 4.0 / 2.0, 6.0 / 3.0])


def test_control_a_range_that_knows_no_queue_is_wrong() -> None:
    assert share_inside(1, 12, blind=True) < 0.4


def test_control_a_machine_that_has_become_slower_is_seen_to_miss() -> None:
    assert share_inside(1, 12, slower=2.0) < 0.5
