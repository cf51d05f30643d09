"""The pools of a cluster, as its controller reports them and as callers, monitoring and probes see them."""

from __future__ import annotations

from pathlib import Path

from protocol import messages as m
from tests.sample_scrape import Scrape
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import wait_until


def test_pools_are_listed_with_their_reason_counted_and_make_an_empty_cluster_ready(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedFrontEnd(programs.endpoints.web) as controller:
        assert programs.get("/v1/workers").body["pools"] == []
        assert programs.get("/readyz").status == 503
        reason = "Waiting tasks: 3. No node of the Ray cluster has CPU=1, GPU=1."
        pool = m.PoolInfo("gpu", {"gpu": "a100"}, 0, 4, 3, 2, 1, 0, reason, 1_700_000_000.0)
        demand = controller.ask(m.Demand, lambda number: m.PoolsReported(number, (pool,)))
        assert (demand.waiting, demand.workers) == ((), ())
        (listed,) = programs.get("/v1/workers").body["pools"]
        assert listed == {
            "name": "gpu",
            "labels": {"gpu": "a100"},
            "wanted": 3,
            "starting": 2,
            "running": 1,
            "draining": 0,
            "minWorkers": 0,
            "maxWorkers": 4,
            "reason": reason,
            "decidedAt": "2023-11-14T22:13:20.000+00:00",
        }
        wait_until(lambda: programs.get("/readyz").status == 200, "a tick with the pool")
        seen = Scrape(programs.ports["WEB_PORT"])
        counts = {state: seen.value("tfmodel_pool_workers", pool="gpu", state=state) for state in ("wanted", "running")}
        assert counts == {"wanted": 3, "running": 1}
        assert seen.value("tfmodel_pool_max_workers", pool="gpu") == 4
