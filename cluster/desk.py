"""The desk of the controller: a named actor of Ray that only one controller has, and where commands reach it.

The actor ends with the controller's process, however that ends. So at most one controller decides, and `status` and
`down` find the one that does, from every machine of the Ray cluster.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec
import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from protocol.pools import PoolInfo

DESK = "controller"
ANSWER_TIMEOUT_S = 10.0
#: Ray starts a process for the desk. On a very busy machine that takes long.
PLACING_TIMEOUT_S = 60.0
RETRY_INTERVAL_S = 0.5

#: What a controller is told: to go on, to drain all workers and end, or to do so and have tasks handed back.
Order = Literal["go on", "down", "down now"]


class Desk:
    """The actor. pools: JSON of the newest report."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._pools = b"[]"
        self._order: Order = "go on"

    def put(self, pools: bytes) -> Order:
        """Take the controller's report. Returns what it should do."""
        self._pools = pools
        return self._order

    def read(self) -> tuple[str, bytes]:
        """Who the controller is, and its newest report."""
        return self._who, self._pools

    def order(self, order: Order) -> None:
        self._order = order


class OwnDesk:
    """The desk of this process. `take` it, then `put` a report in each round."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @classmethod
    def take(cls, who: str, timeout_s: float) -> OwnDesk | None:
        """None if another controller has the desk. One that was just killed keeps it until Ray has noticed.

        The actor is placed on the node of this process: elsewhere it would keep a node from being removed.
        """
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        make = ray.remote(Desk).options(name=DESK, num_cpus=0, max_restarts=0, scheduling_strategy=here)
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            try:
                handle = make.remote(who)  # ValueError: the name is taken.
                ray.get(handle.read.remote(), timeout=PLACING_TIMEOUT_S)
                return cls(handle)
            except (ValueError, RayActorError):
                pass
            if time.monotonic() >= give_up_at_s:
                return None
            time.sleep(RETRY_INTERVAL_S)

    def put(self, pools: tuple[PoolInfo, ...]) -> Order:
        """Put a report, and get the order. Raises RayError if the desk has ended, or if Ray does not answer."""
        order: Order = ray.get(self._handle.put.remote(msgspec.json.encode(pools)), timeout=PLACING_TIMEOUT_S)
        return order


def read_report() -> tuple[str, list[PoolInfo]] | None:
    """Who the controller is, and what it has reported last. None if there is none."""
    try:
        who, pools = ray.get(ray.get_actor(DESK).read.remote(), timeout=ANSWER_TIMEOUT_S)
    except (ValueError, RayError):
        return None
    return who, msgspec.json.decode(pools, type=list[PoolInfo])


def order_controller(order: Order) -> bool:
    """Tell the controller what to do. False if there is none."""
    try:
        ray.get(ray.get_actor(DESK).order.remote(order), timeout=ANSWER_TIMEOUT_S)
    except (ValueError, RayError):
        return False
    return True
