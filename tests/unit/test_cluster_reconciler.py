"""The controller's rounds, with a broker and a Ray cluster that a test writes by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from cluster.agent_actor import AgentOrder, AgentReport
from cluster.broker_link import BrokerAwayError
from cluster.controller import Rules
from cluster.place import Place
from cluster.pool import Pool, pool_of, worker_name
from cluster.reconciler import Reconciler
from protocol import messages as m

RUNNING = Place(AgentReport("node1", 1))
RULES = Rules(max_workers=3, idle_s=10.0, start_grace_s=20.0, cool_down_s=0.0, first_backoff_s=5.0)
CPU, GPU = Pool("cpu", RULES), Pool("gpu", RULES, {"gpu": "a100"}, {"CPU": 1.0, "GPU": 1.0})
W1, W2 = worker_name("cpu", 1), worker_name("cpu", 2)


@dataclass
class FakePlaces:
    """Ray: what it has, and what it was asked for."""

    there: dict[str, Place] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)

    def places(self) -> dict[str, Place]:
        return dict(self.there)

    def start(self, pool: Pool, order: AgentOrder) -> None:
        assert pool_of(order.name) == pool.name
        self.there[order.name] = Place()

    def end(self, name: str) -> None:
        self.ended.append(name)

    def leaving_nodes(self) -> set[str]:
        return self.leaving

    def why_unplaced(self, pool: Pool) -> str:
        return f"No node has {pool.ask}."


@dataclass
class FakeBroker:
    """The broker: what waits, its workers, and which of them it was told to drain, and why."""

    waiting: list[m.Waiting] = field(default_factory=list)
    workers: dict[str, m.WorkerInfo] = field(default_factory=dict)
    drained: list[tuple[str, str | None]] = field(default_factory=list)
    away: bool = False

    def report(self, pools: tuple[m.PoolInfo, ...]) -> m.Demand:
        if self.away:
            raise BrokerAwayError("it is away")
        return m.Demand(1, tuple(self.waiting), tuple(self.workers.values()))

    def drain(self, worker: str, why: m.HandBackReason | None = None) -> m.WorkerInfo | None:
        self.drained.append((worker, why))
        return self.workers.get(worker)

    def has(self, name: str, holds: str = "", draining: bool = False) -> None:
        self.workers[name] = m.WorkerInfo(name, "host", not holds, holds, ("classification",), draining)


class Cluster:
    def __init__(self, *pools: Pool) -> None:
        self.ray, self.broker, self.now_s = FakePlaces(), FakeBroker(), 100.0
        self.pools = {pool.name: pool for pool in pools or (CPU,)}
        self.restart()

    def restart(self) -> None:
        """A new controller, which knows nothing of the one before."""
        self.reconciler = Reconciler(self.pools, self.ray, self.broker, lambda pool, name: AgentOrder(name, (), {}))

    def wait(self, *tasks: tuple[tuple[str, ...], int]) -> None:
        """These tasks wait: their needs, and how many there are."""
        self.broker.waiting = [m.Waiting("classification", needs, count) for needs, count in tasks]

    def round(self, after_s: float = 2.0) -> dict[str, m.PoolInfo]:
        self.now_s += after_s
        self.reconciler.round(self.now_s)
        return {info.name: info for info in self.reconciler.infos}

    def names(self, pool: str = "cpu") -> list[str]:
        return [name for name in self.ray.there if pool_of(name) == pool]


def test_each_task_is_for_the_first_pool_that_has_what_it_needs() -> None:
    cluster = Cluster(CPU, GPU)
    cluster.wait(((), 1), (("gpu",), 2), (("gpu=h200",), 5))
    infos = cluster.round()
    assert (len(cluster.names("cpu")), len(cluster.names("gpu"))) == (1, 2)
    assert (infos["cpu"].wanted, infos["gpu"].wanted) == (1, 2)
    assert infos["gpu"].labels == {"gpu": "a100"}


def test_while_the_broker_is_away_nothing_is_started_drained_or_ended() -> None:
    cluster = Cluster()
    cluster.ray.there = {W1: RUNNING, W2: Place(AgentReport("node1", 1, "it ended with code 0"))}
    cluster.broker.has(W1)
    cluster.round()
    cluster.ray.ended.clear()
    cluster.broker.away = True
    cluster.wait(((), 9))
    for _ in range(50):
        infos = cluster.round()
    assert (list(cluster.ray.there), cluster.ray.ended, cluster.broker.drained) == ([W1, W2], [], [])
    assert "broker is away" in infos["cpu"].reason


def test_a_restarted_controller_takes_over_what_is_there() -> None:
    cluster = Cluster()
    cluster.ray.there = {W1: RUNNING, W2: Place()}
    cluster.broker.has(W1, holds="0" * 32)
    cluster.wait(((), 1))
    for _ in range(3):
        cluster.restart()
        info = cluster.round()["cpu"]
        assert (info.wanted, info.running, info.starting) == (2, 1, 1)
    assert cluster.names() == [W1, W2]


def test_an_idle_worker_is_drained_by_the_broker_before_it_is_ended() -> None:
    cluster = Cluster()
    cluster.ray.there = {W1: RUNNING}
    cluster.broker.has(W1)
    cluster.round()
    cluster.round(9.0)
    assert cluster.broker.drained == []
    cluster.round()
    assert (cluster.broker.drained, cluster.ray.ended) == ([(W1, None)], [])
    cluster.broker.has(W1, holds="0" * 32, draining=True)  # A start had crossed with the order.
    cluster.round()
    assert cluster.ray.ended == []
    cluster.broker.has(W1, draining=True)
    cluster.round()
    assert cluster.ray.ended == [W1]


def test_workers_on_a_node_that_is_taken_away_hand_back_and_are_replaced() -> None:
    cluster = Cluster()
    cluster.ray.there = {W1: RUNNING}
    cluster.ray.leaving = {"node1"}
    cluster.broker.has(W1, holds="0" * 32)
    cluster.round()
    assert cluster.broker.drained == [(W1, "preempted")]
    cluster.broker.has(W1, draining=True)
    cluster.wait(((), 1))
    cluster.round()
    assert cluster.broker.drained == [(W1, "preempted")], "what it had was handed back, so it is told nothing more"
    assert cluster.ray.ended == [W1]
    assert len(cluster.names()) == 2


@pytest.mark.parametrize("place", [Place(died="its actor has ended: no module named cluster"), None])
def test_a_failed_start_is_tried_again_after_a_pause_and_named(place: Place | None) -> None:
    cluster = Cluster()
    cluster.wait(((), 1))
    cluster.round()
    (name,) = cluster.names()
    del cluster.ray.there[name]
    if place is not None:
        cluster.ray.there[name] = place
    info = cluster.round(0.1)["cpu"]
    cluster.ray.there.pop(name, None)
    assert "Failed starts: 1" in info.reason
    assert name in info.reason
    assert not place or place.died in info.reason
    cluster.round()
    assert cluster.names() == []
    cluster.round(5.0)
    assert len(cluster.names()) == 1


def test_a_worker_that_is_lost_with_its_node_is_replaced_at_once() -> None:
    cluster = Cluster()
    cluster.ray.there = {W1: RUNNING}
    cluster.broker.has(W1, holds="0" * 32)
    cluster.round()
    cluster.ray.there = {W1: Place(RUNNING.report, "its actor has ended: its node has died")}
    cluster.broker.workers.clear()
    cluster.wait(((), 1))
    info = cluster.round()["cpu"]
    assert len(cluster.names()) == 2
    assert "Failed" not in info.reason


def test_a_worker_that_never_registers_is_ended_after_its_grace() -> None:
    cluster = Cluster()
    cluster.wait(((), 1))
    cluster.ray.there = {W1: RUNNING}
    cluster.round()
    cluster.round(19.0)
    assert cluster.ray.ended == []
    assert "has not heard of" in cluster.round()["cpu"].reason
    assert cluster.ray.ended == [W1]


def test_a_worker_without_a_place_is_shown_with_rays_reason_and_given_up_when_nobody_needs_it() -> None:
    cluster = Cluster(GPU)
    cluster.wait((("gpu",), 1))
    cluster.round()
    assert "No node has CPU=1, GPU=1." in cluster.round(3.0)["gpu"].reason
    cluster.wait()
    cluster.round()
    assert cluster.ray.ended == []
    cluster.round(10.0)
    assert cluster.ray.ended == cluster.names("gpu")


def test_the_workers_of_a_pool_that_the_settings_no_longer_have_finish_and_leave() -> None:
    old = worker_name("old", 7)
    cluster = Cluster()
    cluster.ray.there = {old: RUNNING}
    cluster.broker.has(old, holds="0" * 32)
    assert cluster.round()["old"].max_workers == 0
    assert cluster.broker.drained == [(old, None)]
    cluster.ray.there.clear()
    cluster.broker.workers.clear()
    cluster.round()
    assert "old" not in cluster.round()


@pytest.mark.parametrize("hand_back", [False, True])
def test_going_down_drains_all_and_starts_none(hand_back: bool) -> None:
    cluster = Cluster(replace(CPU, rules=replace(RULES, min_workers=1)))
    cluster.ray.there = {W1: RUNNING, W2: RUNNING}
    cluster.broker.has(W1, holds="0" * 32)
    cluster.broker.has(W2)
    cluster.wait(((), 5))
    cluster.reconciler.wind_down(hand_back)
    cluster.round()
    assert {name for name, why in cluster.broker.drained if why is None} == {W1, W2}
    assert ((W1, "handed_back") in cluster.broker.drained) == hand_back
    assert cluster.names() == [W1, W2]
    cluster.ray.there.clear()
    cluster.broker.workers.clear()
    cluster.round()
    assert cluster.reconciler.workers_left == 0
    assert cluster.names() == []
