"""What workers have and what the cluster may start: it decides which needs of a task can be met. Pure.

Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker.workers import Offer
from protocol.labels import in_words, satisfy
from protocol.messages import PoolInfo
from protocol.task import TaskSpec

#: A worker that was here this recently may come back, after a restart for example. Its labels still count.
REMEMBERED_S = 600.0
#: After this long without a report, the cluster's controller counts as gone.
REPORT_TTL_S = 60.0
#: A peer with a worker's key may say Hello with many labels. This limits the memory that they can take.
MAX_OFFERS = 1000
#: The most kinds of workers that a refusal names.
MAX_NAMED = 10


class Offers:
    def __init__(self) -> None:
        self._seen_at_s: dict[Offer, float] = {}
        self._pools: tuple[PoolInfo, ...] = ()
        self._reported_at_s: float | None = None
        self._began_at_s = 0.0

    def begin(self, now_s: float) -> None:
        """Note that the broker has started, so workers and controller have yet to speak up."""
        self._began_at_s = now_s

    def see(self, offer: Offer, now_s: float) -> None:
        """Note that a worker that offers this is registered now."""
        if offer not in self._seen_at_s and len(self._seen_at_s) >= MAX_OFFERS:
            del self._seen_at_s[min(self._seen_at_s, key=self._seen_at_s.__getitem__)]
        self._seen_at_s[offer] = now_s

    def report(self, pools: tuple[PoolInfo, ...], now_s: float) -> None:
        """Keep what the cluster's controller says of its pools. Several pools may have the same labels."""
        self._pools, self._reported_at_s = pools, now_s

    def pools(self, now_s: float) -> tuple[PoolInfo, ...]:
        """The pools of the newest report; () if there is none, or if it is too old."""
        is_recent = self._reported_at_s is not None and now_s - self._reported_at_s < REPORT_TTL_S
        return self._pools if is_recent else ()

    def why_unmet(self, spec: TaskSpec, now_s: float) -> str:
        """Return why no worker could ever take the task, as a sentence, or "" if one could.

        In the first minutes after a start of the broker nothing is known yet, so every need may be met.
        """
        if not spec.needs or now_s - self._began_at_s < REPORT_TTL_S:
            return ""
        if any(satisfy(labels, spec.needs) for labels in self._known(spec.train_type, now_s)):
            return ""
        wanted = ", ".join(spec.needs)
        return (
            f"No worker for trainType={spec.train_type} has needs={wanted}, and no pool of the cluster may start one. "
            f"{self._named(spec.train_type, now_s)} Leave out needs, or start a worker with --label."
        )

    def _known(self, train_type: str, now_s: float) -> Iterable[Mapping[str, str]]:
        for (train_types, labels), seen_at_s in self._seen_at_s.items():
            if train_type in train_types and now_s - seen_at_s < REMEMBERED_S:
                yield dict(labels)
        for pool in self.pools(now_s):
            if pool.max_workers:
                yield pool.labels

    def _named(self, train_type: str, now_s: float) -> str:
        """A sentence that names the labels that there are."""
        kinds = sorted({in_words(labels) for labels in self._known(train_type, now_s)} - {""})
        if not kinds:
            return "No worker has a label."
        named = "; ".join(kinds[:MAX_NAMED])
        rest = f"; and {len(kinds) - MAX_NAMED} more" if len(kinds) > MAX_NAMED else ""
        return f"There are workers with {named}{rest}."
