"""The workers as a whole: orders to drain, what they offer, and the pools of the cluster's controller. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from broker import answers, policy
from broker.events import SendWeb, SendWorker
from broker.help import Help
from broker.workers import Worker
from protocol import messages as m
from protocol.labels import satisfy


class Fleet(Help):
    def _drain(self, peer: bytes, request: m.DrainWanted) -> None:
        """From now on the worker gets no task, or may get tasks again. It is told at once, and in each Pulse."""
        worker = self.workers.by_name(request.worker)
        if worker is None:
            error = f"No worker of the name {request.worker} is registered; GET /v1/workers lists those that are."
            self._effects.append(SendWeb(peer, m.Refused(request.request_id, "unknown_worker", error)))
            return
        worker.drain_wanted = request.on
        worker.hand_back_why = request.why if request.on and request.hand_back else ""
        self.workers.set_ready(worker, worker.ready)
        if worker.drain_order is not None or worker.hand_back_why:
            task = self.tasks[worker.task_id] if worker.task_id else None
            self._pulse(worker, policy.pending_order(task) if task else None)
        self._effects.append(SendWeb(peer, m.Workers(request.request_id, (self.workers.info(worker, self._now),))))

    def _overdue(self) -> int:
        """How many waiting tasks a free worker could start."""
        free = self.workers.first_free()
        return sum(
            count
            for kind, count in self.waiting.startable_by_kind.items()
            if any(kind.train_type in worker.train_types and satisfy(worker.labels, kind.needs) for worker in free)
        )

    def _report_pools(self, peer: bytes, report: m.PoolsReported) -> None:
        """Remember what the cluster may start, and tell its controller what waits."""
        self.offers.report(report.pools, self._now.monotonic_s)
        waiting = tuple(
            m.Waiting(kind.train_type, kind.needs, count) for kind, count in self.waiting.startable_by_kind.items()
        )
        workers, more = answers.as_many_as_fit(self.workers.infos(self._now))
        self._effects.append(SendWeb(peer, m.Demand(report.request_id, waiting, workers, more)))

    def _list_workers(self, peer: bytes, request: m.WorkersWanted) -> None:
        workers, more = answers.as_many_as_fit(self.workers.infos(self._now))
        pools = self.offers.pools(self._now.monotonic_s)
        self._effects.append(SendWeb(peer, m.Workers(request.request_id, workers, pools, more)))

    def _unmet(self) -> tuple[m.UnmetNeeds, ...]:
        """The kinds of waiting tasks that no registered worker can train."""
        offers = self.workers.offers
        kinds = (
            m.UnmetNeeds(kind.train_type, kind.needs)
            for kind in self.waiting.startable_by_kind
            if not any(kind.train_type in types and satisfy(dict(labels), kind.needs) for types, labels in offers)
        )
        return tuple(itertools.islice(kinds, m.MAX_UNMET))

    def _describe(self, worker: Worker, train_types: tuple[str, ...], labels: Mapping[str, str]) -> None:
        self.workers.describe(worker, train_types, labels)
        self.offers.see(worker.offer, self._now.monotonic_s)

    def _pulse(self, worker: Worker, order: m.Stop | None) -> None:
        """Answer a heartbeat, with all orders that the worker has yet to carry out."""
        if worker.peer is not None:
            hand_back = bool(worker.hand_back_why) and worker.task_id is not None
            helpers = self.workers.help.count(worker.task_id or "")
            pulse = m.Pulse(order, worker.drain_order, hand_back, self._helps(worker), helpers)
            self._effects.append(SendWorker(worker.peer, pulse))
