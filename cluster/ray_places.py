"""The workers as Ray has them. All access to Ray is here and in desk.py.

Everything is read from Ray's list of named actors, and nothing is kept that a new controller could not read again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray._private.state import state as gcs_state
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.exceptions import GetTimeoutError, RayError
from ray.util import list_named_actors

from cluster.agent_actor import AgentActor, AgentOrder
from cluster.place import Place
from cluster.pool import Pool, pool_of

log = logging.getLogger("cluster")

#: How long a round waits for the reports of the actors. One that has no place yet never answers.
REPORT_TIMEOUT_S = 0.3
MAX_CAUSE_CHARS = 300


@dataclass
class _Known:
    handle: Any
    asked: Any = None
    place: Place = field(default_factory=Place)


class RayPlaces:
    """Use it from one thread, after `ray.init`."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._actor = ray.remote(AgentActor)

    def places(self) -> dict[str, Place]:
        """All workers that have an actor in our namespace, by their names."""
        names = {name for name in list_named_actors() if pool_of(name)}
        for name in self._known.keys() - names:
            # One that has just died is shown once, with the reason that its last answer gives.
            if self._known[name].place.died:
                del self._known[name]
        for name in names - self._known.keys():
            with contextlib.suppress(ValueError):  # It has ended since the list was made.
                self._known[name] = _Known(ray.get_actor(name))
        for known in self._known.values():
            if known.asked is None:
                known.asked = known.handle.report.remote()
        asked = {known.asked: known for known in self._known.values()}
        if asked:
            answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=REPORT_TIMEOUT_S)
            for reference in answered:
                asked[reference].asked = None
                asked[reference].place = self._answer(reference, asked[reference].place)
        return {name: known.place for name, known in self._known.items()}

    @staticmethod
    def _answer(reference: Any, before: Place) -> Place:
        try:
            return Place(ray.get(reference, timeout=REPORT_TIMEOUT_S))
        except GetTimeoutError:
            return before
        except RayError as error:
            return Place(before.report, f"its actor has ended: {_cause(error)}")

    def start(self, pool: Pool, order: AgentOrder) -> None:
        """Ask Ray for a place for the worker. Nothing is waited for."""
        asked = dict(pool.resources)
        options: dict[str, Any] = {
            "name": order.name,
            "lifetime": "detached",
            "max_restarts": 0,
            "max_task_retries": 0,
            "num_cpus": asked.pop("CPU", 0),
            "num_gpus": asked.pop("GPU", 0),
            "memory": asked.pop("memory", None) or None,
            "resources": asked or None,
        }
        self._known[order.name] = _Known(self._actor.options(**options).remote(order))

    def end(self, name: str) -> None:
        """Have the agent leave, or end the actor if its agent has ended or has no place yet. It may be asked again."""
        known = self._known.get(name)
        if known is None:
            return
        if known.place.report is not None and not known.place.ended:
            known.handle.leave.remote()
            return
        ray.kill(known.handle)
        del self._known[name]

    def leaving_nodes(self) -> set[str]:
        """The ids of the nodes that Ray is about to take away."""
        return set(gcs_state.get_draining_nodes())

    def why_unplaced(self, pool: Pool) -> str:
        """Why Ray has no place for another worker of the pool, in a sentence."""
        try:
            status = get_cluster_status(ray.get_runtime_context().gcs_address)
        except (RayError, RuntimeError, OSError) as error:
            return f"Ray does not say why: {_cause(error)}."
        for launch in status.failed_launches:
            return f"Ray could not start a node of type {launch.ray_node_type_name}: {launch.details}."
        coming = len(status.pending_nodes) + sum(launch.count for launch in status.pending_launches)
        if coming:
            return f"Ray is starting nodes: {coming}."
        nodes = [*status.active_nodes, *status.idle_nodes]
        if any(_has(node.total_resources(), pool.resources) for node in nodes):
            return f"Every node that has {pool.ask} is in use."
        return f"No node of the Ray cluster has {pool.ask}."


def _has(total: Mapping[str, float], asked: Mapping[str, float]) -> bool:
    return all(total.get(name, 0.0) >= amount for name, amount in asked.items())


def _cause(error: BaseException) -> str:
    """The message of an error of Ray in one line."""
    return " ".join(str(error).split())[:MAX_CAUSE_CHARS]
