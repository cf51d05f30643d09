"""The controller's rounds: look at Ray and at the broker, decide for each pool, and carry that out.

What is decided rests on what Ray and the broker say in this round, so a controller that is killed and started again
goes on where the other one was. While the broker is away, nothing is started, drained or ended.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import msgspec

from cluster.agent_actor import AgentOrder
from cluster.broker_link import BrokerAwayError
from cluster.controller import Decision, Member, Memory, Phase, Track, decide, pending_by_pool, with_started
from cluster.place import Place
from cluster.pool import Pool, pool_of, worker_name
from protocol import messages as m
from protocol.bounds import shortened
from protocol.pools import MAX_REASON_CHARS

log = logging.getLogger("cluster")

#: Ray places an actor within a moment if there is room. After this long it is asked why it has not.
PLACED_WITHIN_S = 3.0


class Places(Protocol):
    """The workers as Ray has them, see RayPlaces."""

    def places(self) -> Mapping[str, Place]: ...
    def start(self, pool: Pool, order: AgentOrder) -> None: ...
    def end(self, name: str) -> None: ...
    def leaving_nodes(self) -> set[str]: ...
    def why_unplaced(self, pool: Pool) -> str: ...


class Link(Protocol):
    """The broker, see BrokerLink."""

    def report(self, pools: tuple[m.PoolInfo, ...]) -> m.Demand: ...
    def drain(self, worker: str, why: m.HandBackReason | None = None) -> m.WorkerInfo | None: ...


class Reconciler:
    def __init__(
        self, pools: Mapping[str, Pool], places: Places, link: Link, make_order: Callable[[Pool, str], AgentOrder]
    ) -> None:
        """pools: the cheapest first. make_order: makes the order for a new worker of this name."""
        self._pools = dict(pools)
        self._places = places
        self._link = link
        self._make_order = make_order
        self._memories: dict[str, Memory] = {}
        self._infos: dict[str, m.PoolInfo] = {name: _info(pool) for name, pool in pools.items()}
        self._hand_back = False
        self.workers_left = 0

    @property
    def infos(self) -> tuple[m.PoolInfo, ...]:
        return tuple(self._infos.values())

    def wind_down(self, hand_back: bool) -> None:
        """From now on, start no worker and drain all. hand_back: they give their tasks back at once."""
        self._hand_back = hand_back
        none = {"min_workers": 0, "max_workers": 0}
        self._pools = {name: replace(pool, rules=replace(pool.rules, **none)) for name, pool in self._pools.items()}

    def round(self, now_s: float) -> None:
        """One look and one decision for each pool. now_s: monotonic time."""
        places = self._places.places()
        self.workers_left = len(places)
        try:
            demand = self._link.report(self.infos)
            workers = {worker.worker: worker for worker in demand.workers}
            self._leave_nodes(places, workers)
            labels = {name: pool.labels for name, pool in self._pools.items() if pool.rules.max_workers}
            pending = pending_by_pool(demand.waiting, labels)
            for pool in self._pools_with(places):
                members = [
                    Member(name, phase_of(place, workers.get(name)), place.ended, bool(place.died))
                    for name, place in places.items()
                    if pool_of(name) == pool.name
                ]
                decision = decide(
                    pool.rules, self._memories.get(pool.name, Memory()), pending.get(pool.name, 0), members, now_s
                )
                self._memories[pool.name] = decision.memory
                started = self._carry_out(pool, decision, workers)
                self._memories[pool.name] = with_started(decision.memory, started, now_s)
                self._infos[pool.name] = self._told(pool, decision, members, now_s)
        except BrokerAwayError as error:
            log.warning("action=cluster.broker_away reason=%r", str(error))
            reason = f"The broker is away, so nothing is started or drained: {error}."
            self._infos = {name: _with_reason(info, reason) for name, info in self._infos.items()}

    def _pools_with(self, places: Mapping[str, Place]) -> list[Pool]:
        """All pools, with those that the settings no longer have while they still have workers."""
        named = {pool_of(name) for name in places} - {None, *self._pools}
        rules = replace(next(iter(self._pools.values())).rules, min_workers=0, max_workers=0)
        for gone in self._infos.keys() - self._pools.keys() - named:
            del self._infos[gone]
        return [*self._pools.values(), *(Pool(name, rules) for name in sorted(filter(None, named)))]

    def _carry_out(self, pool: Pool, decision: Decision, workers: Mapping[str, m.WorkerInfo]) -> list[str]:
        """Returns the names of the workers that were started."""
        for name in decision.end:
            self._places.end(name)
        for name in decision.drain:
            self._link.drain(name)
        if self._hand_back:
            for name in decision.memory.tracks:
                if name in workers and workers[name].holds:
                    self._link.drain(name, "handed_back")
        started = [worker_name(pool.name, secrets.randbits(32)) for _ in range(decision.start)]
        for name in started:
            self._places.start(pool, self._make_order(pool, name))
        if decision.start or decision.drain:
            log.info(
                "action=cluster.decided pool=%s wanted=%d start=%d drain=%s reason=%r",
                pool.name,
                decision.wanted,
                decision.start,
                ",".join(decision.drain),
                decision.reason,
            )
        return started

    def _leave_nodes(self, places: Mapping[str, Place], workers: Mapping[str, m.WorkerInfo]) -> None:
        """Have the workers on nodes that Ray is about to take away hand back their tasks, while there is time."""
        leaving = self._places.leaving_nodes()
        for name, place in places.items():
            worker = workers.get(name)
            on_leaving_node = place.report is not None and place.report.node_id in leaving
            if worker is not None and on_leaving_node and (worker.holds or not worker.draining):
                log.info("action=cluster.preempted worker=%s task=%s", name, worker.holds)
                self._link.drain(name, "preempted")

    def _told(self, pool: Pool, decision: Decision, members: list[Member], now_s: float) -> m.PoolInfo:
        phases = [member.phase for member in members]
        reason = decision.reason
        if any(_waits_for_place(track, now_s) for track in decision.memory.tracks.values()):
            reason = f"{reason} {self._places.why_unplaced(pool)}"
        draining = phases.count(Phase.DRAINING) + phases.count(Phase.DRAINED)
        before = self._infos.get(pool.name)
        acted = decision.start or decision.drain or before is None or before.wanted != decision.wanted
        return msgspec.structs.replace(
            _info(pool),
            wanted=decision.wanted,
            starting=phases.count(Phase.UNPLACED) + phases.count(Phase.PLACED),
            running=phases.count(Phase.FREE) + phases.count(Phase.BUSY) + draining,
            draining=draining,
            reason=shortened(reason, MAX_REASON_CHARS),
            at_s=time.time() if acted or before is None else before.at_s,
        )


def _waits_for_place(track: Track, now_s: float) -> bool:
    return track.phase is Phase.UNPLACED and now_s - track.at_s >= PLACED_WITHIN_S


def phase_of(place: Place, worker: m.WorkerInfo | None) -> Phase:
    """The phase of a member of a pool. worker: as the broker lists it; None if it does not."""
    if place.ended:
        return Phase.GONE
    if worker is None:
        return Phase.PLACED if place.report is not None else Phase.UNPLACED
    if worker.draining:
        return Phase.DRAINING if worker.holds else Phase.DRAINED
    return Phase.BUSY if worker.holds else Phase.FREE


def _info(pool: Pool) -> m.PoolInfo:
    return m.PoolInfo(pool.name, dict(pool.labels), pool.rules.min_workers, pool.rules.max_workers)


def _with_reason(info: m.PoolInfo, reason: str) -> m.PoolInfo:
    return msgspec.structs.replace(info, reason=shortened(reason, MAX_REASON_CHARS))
