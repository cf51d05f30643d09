"""The controller of a pool in a simulated cluster: whatever happens, some things are always or never so."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.controller import Rules
from tests.stateful.cluster_world import STEP_S, ClusterWorld

pools = st.builds(
    Rules,
    min_workers=st.integers(0, 2),
    max_workers=st.integers(2, 6),
    idle_s=st.sampled_from([6.0, 30.0, 120.0]),
    start_grace_s=st.just(40.0),
    cool_down_s=st.sampled_from([2.0, 20.0]),
    first_backoff_s=st.just(5.0),
    longest_backoff_s=st.just(60.0),
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("tasks"), st.integers(1, 12)),
        st.tuples(st.just("kill"), st.integers(0, 5)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("broker"), st.integers(0, 1)),
        st.tuples(st.just("placing"), st.integers(1, 30)),
        st.tuples(st.just("failing"), st.integers(0, 1)),
        st.tuples(st.just("withdraw"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
    ),
    max_size=30,
)


def happen(world: ClusterWorld, what: str, number: int) -> None:
    match what:
        case "tasks":
            world.pending += number
        case "kill":
            world.kill_one(number)
        case "restart":
            world.restart_controller()
        case "broker":
            world.broker_away = bool(number)
        case "placing":
            world.place_in = number
        case "failing":
            world.fails = bool(number)
        case "withdraw":  # All waiting tasks are cancelled.
            world.pending = 0


def run(world: ClusterWorld, steps: int) -> None:
    for _ in range(steps):
        before = (len(world.starts), len(world.drains))
        world.step()
        assert world.living <= world.rules.max_workers
        if world.broker_away:
            assert before == (len(world.starts), len(world.drains)), "decided without knowing what waits"


def calm(world: ClusterWorld) -> None:
    """From now on nothing goes wrong, and what was broken mends itself in time."""
    world.broker_away, world.fails, world.place_in = False, False, 1
    for worker in world.workers.values():
        worker.fails = False
    run(world, int((world.rules.longest_backoff_s + world.rules.start_grace_s + 300.0) / STEP_S))


@settings(max_examples=30, deadline=None)
@given(pools, happenings, st.integers(0, 8))
def test_it_reaches_what_is_wanted_and_stays_there(rules: Rules, story: list[tuple[str, int]], demand: int) -> None:
    world = ClusterWorld(rules)
    for what, number in story:
        happen(world, what, number)
        run(world, number if what == "wait" else 1)
    world.task_steps = 10_000
    world.pending = max(0, demand - (world.unfinished - world.pending))
    calm(world)
    demand = world.unfinished
    wanted = max(rules.min_workers, min(rules.max_workers, demand))
    run(world, int(2 * (rules.idle_s + rules.cool_down_s) / STEP_S) * (rules.max_workers + 1))
    assert world.living == wanted
    changes = (len(world.starts), len(world.drains))
    run(world, 200)
    assert (len(world.starts), len(world.drains)) == changes, "it starts or stops workers under a steady demand"


@settings(max_examples=30, deadline=None)
@given(pools, happenings)
def test_a_worker_is_stopped_at_most_once_in_its_idle_time(rules: Rules, story: list[tuple[str, int]]) -> None:
    """However demand jumps, each stop is paid for by an idle_s of a worker, so nothing thrashes."""
    world = ClusterWorld(rules)
    for what, number in story * 3:
        happen(world, what, number)
        run(world, number if what == "wait" else 1)
    most = rules.max_workers * (world.now_s / rules.idle_s + 1)
    assert len(world.drains) <= most


@settings(max_examples=10, deadline=None)
@given(pools, st.integers(1, 200))
def test_failed_starts_are_tried_more_and_more_slowly(rules: Rules, tasks: int) -> None:
    world = ClusterWorld(rules)
    world.pending, world.fails = tasks, True
    run(world, 1800)  # an hour
    first = rules.max_workers
    assert len(world.starts) <= first + 3600.0 / (rules.start_grace_s + STEP_S)
    world.fails = False
    for worker in world.workers.values():
        worker.fails = False
    world.task_steps = 10_000
    run(world, 200)
    assert world.living == min(rules.max_workers, tasks) or world.living == rules.min_workers


@settings(max_examples=10, deadline=None)
@given(pools, st.integers(1, 40))
def test_it_scales_to_its_least_and_back(rules: Rules, tasks: int) -> None:
    world = ClusterWorld(rules)
    for _ in range(2):
        world.pending += tasks
        run(world, 20 * tasks + 50)
        assert not world.unfinished, "the queue is worked off"
        run(world, int((2 * rules.idle_s + rules.cool_down_s * (rules.max_workers + 1)) / STEP_S) + 10)
        assert world.living == rules.min_workers
