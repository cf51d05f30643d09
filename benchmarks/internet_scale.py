"""`python -m benchmarks.internet_scale`: a day of a large website, through the broker's core with simulated time.

10,000 workers train a million tasks. Calls come in bursts, and one worker in a hundred dies each hour. Everything that
the broker decides runs as in production: submits, leases, heartbeats, results, lost workers. Messages are decoded and
encoded as on the wire. Only sockets and the disk are left out; what the journal would be given is counted in bytes.
docs/scale.md says what follows from the figures.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import describe_machine
from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Effect, Event, FromWeb, FromWorker, Now, SendWeb, SendWorker, TimePassed
from broker.facts import Cancelled, Done, Failed, Record
from protocol import messages as m
from protocol import wire
from protocol.task import TaskSpec, Trained

WORKERS, TASKS_A_DAY, DAY_S = 10_000, 1_000_000, 86_400
DYING_AN_HOUR = 0.01
#: How long until another worker takes the place of one that has died.
REPLACED_AFTER_S = 180
#: Seconds of a training: the median and the spread of a log-normal distribution with a mean of about 480 s, cut off.
MEDIAN_S, SPREAD, LONGEST_S = 300.0, 1.01, 3600.0
#: Calls follow the hours of the day, and a burst of BURST_S seconds brings BURST_FACTOR times as many.
BURSTS_A_DAY, BURST_S, BURST_FACTOR = 12, 300, 4.0
USERS = 50_000
SETTINGS = CoreSettings(
    # With so many workers, a heartbeat every two seconds would be most of the broker's work.
    heartbeat_interval_s=30.0,
    lease_ttl_s=90.0,
    max_pending=2_000_000,
    max_pending_per_user=1_000_000,
    data_roots=("/data",),
)
#: The wire is measured for one event in so many, since the day has thirty million of them.
WEIGHED_EVERY = 20
KINDS = ("submit", "heartbeat", "result", "time", "tick")

_encoder = msgspec.json.Encoder()


class Day:
    """The core, its workers and callers, second by second."""

    def __init__(self, workers: int, seed: int) -> None:
        self.core = Core(SETTINGS)
        self.now_s = 0.0
        self.submitted_at_s: dict[str, float] = {}
        self.waits_s: list[float] = []
        self.ended: Counter[str] = Counter()
        self.spent_s: defaultdict[str, float] = defaultdict(float)
        self.events: Counter[str] = Counter()
        self.journal_bytes = self.facts = self.lost_leases = self.longest_queue = 0
        self._chosen = random.Random(seed)
        self._numbers = itertools.count()
        #: What each worker holds, by its peer.
        self._holds: dict[bytes, m.Holding | None] = {}
        self._ends: list[tuple[float, bytes, m.Holding]] = []
        self._births: list[tuple[float, int]] = []
        beats = int(SETTINGS.heartbeat_interval_s)
        self._beating: list[dict[bytes, None]] = [{} for _ in range(beats)]
        for number in range(workers):
            self.boot(number)

    # ---- workers ----

    def boot(self, number: int) -> None:
        start = next(self._numbers)
        peer = b"%d" % start
        self._holds[peer] = None
        self._beating[start % len(self._beating)][peer] = None
        hello = m.Hello(f"w{number}-{start}", f"s{start}", "host", ("classification",), ready=True)
        self.handle("heartbeat", FromWorker(peer, hello))

    def die(self, workers: int) -> None:
        """Some workers vanish without a word. Others take their places later."""
        for peer in self._chosen.sample(sorted(self._holds), workers):
            self.lost_leases += self._holds.pop(peer) is not None
            self._beating[int(peer) % len(self._beating)].pop(peer)
            self._births.append((self.now_s + REPLACED_AFTER_S, next(self._numbers)))

    def end_trainings(self) -> None:
        while self._ends and self._ends[0][0] <= self.now_s:
            _, peer, holding = heapq.heappop(self._ends)
            if self._holds.get(peer) != holding:
                continue  # This worker has died meanwhile.
            self._holds[peer] = None
            path = f"/data/p/models/{holding.task_id}/model.tflite"
            trained = Trained(path, {"accuracy": 0.93, "macro_f1": 0.92}, {"features": 120.0, "train": 300.0})
            self.handle("result", FromWorker(peer, m.Result(holding.task_id, holding.attempt, trained)))
            self.handle("heartbeat", FromWorker(peer, m.Heartbeat(ready=True)))

    def beat(self) -> None:
        for peer in list(self._beating[int(self.now_s) % len(self._beating)]):
            holds = self._holds[peer]
            self.handle("heartbeat", FromWorker(peer, m.Heartbeat(holds is None, holds, memory_mb=2000.0)))

    # ---- callers ----

    def submit(self, count: int) -> None:
        for _ in range(count):
            number = next(self._numbers)
            # A few users post much, and most of them little.
            user = min(int(self._chosen.paretovariate(0.6)), USERS)
            task_id = f"{number:032x}"
            spec = TaskSpec(task_id, f"user{user}", "p", "/data/p", "/data/p", "classification", request_id="r" * 32)
            self.submitted_at_s[task_id] = self.now_s
            self.handle("submit", FromWeb(b"web", m.Submit(number, spec)))

    # ---- the broker ----

    def handle(self, kind: str, event: Event) -> None:
        began_s = time.process_time()
        records, effects = self.core.handle(event, Now(self.now_s, 1e9 + self.now_s))
        self.spent_s[kind] += time.process_time() - began_s
        self.events[kind] += 1
        if self.events[kind] % WEIGHED_EVERY == 0 and isinstance(event, FromWeb | FromWorker):
            self._weigh_wire(kind, event, effects)
        for record in records:
            self._note(record)
        for effect in effects:
            if isinstance(effect, SendWorker) and isinstance(effect.message, m.Start):
                self._begin(effect.peer, effect.message)

    def _weigh_wire(self, kind: str, event: FromWeb | FromWorker, effects: Sequence[Effect]) -> None:
        """Measure for one event of many what decoding it and encoding its answers costs."""
        frames = wire.encode(event.message)
        began_s = time.process_time()
        wire.decode(frames, m.WebToBroker if isinstance(event, FromWeb) else m.WorkerToBroker)
        for effect in effects:
            if isinstance(effect, SendWeb | SendWorker):
                wire.encode(effect.message)
        self.spent_s[kind] += WEIGHED_EVERY * (time.process_time() - began_s)

    def tick(self) -> None:
        """What the broker publishes every second."""
        began_s = time.process_time()
        wire.encode(self.core.tick())
        self.spent_s["tick"] += time.process_time() - began_s
        self.events["tick"] += 1

    def _begin(self, peer: bytes, start: m.Start) -> None:
        if peer not in self._holds:
            return  # It has died, and the broker does not know that yet.
        task_id = start.spec.task_id
        holding = self._holds[peer] = m.Holding(task_id, start.attempt)
        if start.attempt == 1:
            self.waits_s.append(self.now_s - self.submitted_at_s[task_id])
        takes_s = min(self._chosen.lognormvariate(math.log(MEDIAN_S), SPREAD), LONGEST_S)
        heapq.heappush(self._ends, (self.now_s + takes_s, peer, holding))

    def _note(self, record: Record) -> None:
        self.facts += 1
        self.journal_bytes += len(_encoder.encode(record.fact)) + len(record.task_id) + 16
        if isinstance(record.fact, Done | Failed | Cancelled):
            self.ended[record.task_id] += 1
            task = self.core.recent[record.task_id]
            self.journal_bytes += len(_encoder.encode(task))

    def second(self, calls: int, deaths: int) -> None:
        self.now_s += 1.0
        while self._births and self._births[0][0] <= self.now_s:
            self.boot(self._births.pop(0)[1])
        self.die(deaths)
        self.end_trainings()
        self.submit(calls)
        self.beat()
        self.handle("time", TimePassed())
        self.tick()
        self.longest_queue = max(self.longest_queue, len(self.core.waiting))

    def drain(self) -> None:
        """Nobody calls any more, until every task has ended."""
        while self.core.tasks:
            self.second(0, 0)


def calls_each_second(seconds: int, tasks: int, seed: int) -> list[int]:
    """How many tasks are posted in each second: by the hours of the day, with bursts; `tasks` of them in all."""
    chosen = np.random.default_rng(seed)
    at_s = np.arange(seconds)
    rate = 1.0 + 0.6 * np.sin(2 * np.pi * (at_s / DAY_S - 0.3))
    for begin in chosen.integers(0, seconds, max(1, round(BURSTS_A_DAY * seconds / DAY_S))):
        rate[begin : begin + BURST_S] *= BURST_FACTOR
    calls = chosen.multinomial(tasks, rate / rate.sum())
    return [int(count) for count in calls]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.internet_scale", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="how much of the day to simulate")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    seconds = round(chosen.hours * 3600)
    tasks = round(TASKS_A_DAY * seconds / DAY_S)
    calls = calls_each_second(seconds, tasks, chosen.seed)
    deaths = np.random.default_rng(chosen.seed + 1).poisson(chosen.workers * DYING_AN_HOUR / 3600, seconds)
    process = psutil.Process()
    before_mb = process.memory_info().rss / 2**20
    day, began_s, most_mb = Day(chosen.workers, chosen.seed), time.perf_counter(), 0.0
    for second in track(range(seconds), description="The day passes"):
        day.second(calls[second], int(deaths[second]))
        if second % 60 == 0:
            most_mb = max(most_mb, process.memory_info().rss / 2**20)
    day.drain()
    report(day, tasks, most_mb - before_mb, time.perf_counter() - began_s)


def report(day: Day, tasks: int, memory_mb: float, took_s: float) -> None:
    console = Console()
    simulated_s, busy_s = day.now_s, sum(day.spent_s.values())
    table = Table(title=f"{tasks:,} tasks in {simulated_s / 3600:.1f} simulated hours")
    for column in ("event", "number", "µs each", "share of a core"):
        table.add_column(column, justify="right")
    for kind in KINDS:
        number, spent_s = day.events[kind], day.spent_s[kind]
        share = spent_s / simulated_s
        table.add_row(kind, f"{number:,}", f"{spent_s / max(number, 1) * 1e6:.1f}", f"{share:.2%}")
    console.print(table)
    waits_s = np.percentile(day.waits_s, [50, 99, 100])
    lost = set(day.submitted_at_s) - set(day.ended)
    twice = [task_id for task_id, count in day.ended.items() if count > 1]
    lines = (
        f"Decisions: {sum(day.events.values()) / busy_s:,.0f} events a second of one core's time.",
        f"Wait for a worker: median {waits_s[0]:.0f} s, p99 {waits_s[1]:.0f} s, longest {waits_s[2]:.0f} s; "
        f"longest queue {day.longest_queue:,} tasks.",
        f"Workers that died while training: {day.lost_leases:,}. Tasks lost: {len(lost)}. Ended twice: {len(twice)}.",
        f"Journal: {day.facts:,} facts, {day.journal_bytes / tasks * TASKS_A_DAY / 2**20:,.0f} MB for a million tasks, "
        "without indexes.",
        f"Memory of the core, with this simulation's own lists: at most {memory_mb:,.0f} MB.",
        f"The simulation took {took_s:.0f} s.",
    )
    for line in lines:
        console.print(line, highlight=False)
    console.print(describe_machine())
    if lost or twice:
        raise SystemExit("Tasks were lost or ended twice.")


if __name__ == "__main__":
    main()
