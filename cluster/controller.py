"""How many workers a pool should have: `decide` says which to start, drain and end, and why. Pure.

Times are monotonic seconds. The memory of a pool only makes decisions calmer: a controller that has just started has
none, and decides from what it sees. It then takes all workers for busy or idle since that moment.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from protocol.labels import satisfy
from protocol.messages import Waiting


class Phase(enum.Enum):
    """What is known of a member of a pool, from its start to its end."""

    #: Ray has not found a place for it.
    UNPLACED = "unplaced"
    #: Its agent runs, but the broker does not list it.
    PLACED = "placed"
    #: The broker lists it, and it holds no task. It may still load TensorFlow.
    FREE = "free"
    BUSY = "busy"
    #: It takes no new task, and holds one.
    DRAINING = "draining"
    #: It takes no new task, and holds none.
    DRAINED = "drained"
    #: Its agent has ended.
    GONE = "gone"


REGISTERED = (Phase.FREE, Phase.BUSY, Phase.DRAINING, Phase.DRAINED)
LEAVING = (Phase.DRAINING, Phase.DRAINED, Phase.GONE)


@dataclass(frozen=True)
class Rules:
    """The settings of a pool that decisions follow.

    idle_s: how long a worker must be idle before it is drained. start_grace_s: how long a worker that has been placed
    may take until the broker lists it. cool_down_s: the pause between two decisions to have fewer workers.
    first_backoff_s, longest_backoff_s: the pause after a failed start, which doubles with each further one.
    """

    min_workers: int = 0
    max_workers: int = 1
    idle_s: float = 300.0
    start_grace_s: float = 120.0
    cool_down_s: float = 30.0
    first_backoff_s: float = 5.0
    longest_backoff_s: float = 300.0


@dataclass(frozen=True)
class Member:
    """One worker of a pool, as it is now.

    ended: how it has ended, in words, if its phase is GONE. lost: its actor has ended, for example with its node, so
    its agent did not end by itself.
    """

    name: str
    phase: Phase
    ended: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Track:
    """What is remembered of a member.

    at_s: since when it has been in this phase. registered: whether the broker has ever listed it. ending: whether it
    has been asked to end.
    """

    phase: Phase
    at_s: float
    registered: bool = False
    ending: bool = False


@dataclass(frozen=True)
class Backoff:
    """The starts that have failed since the last one that succeeded, and when to try again."""

    failures: int = 0
    retry_at_s: float = float("-inf")
    last: str = ""

    def after(self, failed: Sequence[str], succeeded: bool, rules: Rules, now_s: float) -> Backoff:
        """The back-off after more starts. failed: why some have failed. succeeded: whether one has succeeded."""
        before = Backoff() if succeeded else self
        if not failed:
            return before
        failures = before.failures + 1
        pause_s = min(rules.longest_backoff_s, rules.first_backoff_s * 2 ** min(failures - 1, 30))
        return Backoff(failures, now_s + pause_s, failed[-1])


@dataclass(frozen=True)
class Memory:
    """What is remembered of a pool from one decision to the next.

    reduced_at_s: when it was last decided to have fewer workers. surplus_since_s: since when there have been more
    workers than wanted; None if there are not.
    """

    tracks: Mapping[str, Track] = field(default_factory=dict)
    backoff: Backoff = Backoff()
    reduced_at_s: float = float("-inf")
    surplus_since_s: float | None = None


@dataclass(frozen=True)
class Decision:
    """What to do now. drain: those that take no new task. end: those whose agent and actor end.

    reason: a sentence for the operator.
    """

    wanted: int
    start: int
    drain: tuple[str, ...]
    end: tuple[str, ...]
    reason: str
    memory: Memory


def pending_by_pool(waiting: Iterable[Waiting], labels_by_pool: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """How many waiting tasks each pool should serve.

    A task belongs to the first pool whose workers have what it needs, so the cheapest pools come first. Tasks that no
    pool can serve are left out.
    """
    pending = dict.fromkeys(labels_by_pool, 0)
    for kind in waiting:
        pool = next((name for name, labels in labels_by_pool.items() if satisfy(labels, kind.needs)), None)
        if pool is not None:
            pending[pool] += kind.count
    return pending


def decide(rules: Rules, memory: Memory, pending: int, members: Sequence[Member], now_s: float) -> Decision:
    """Decide what to do for one pool. pending: tasks that wait for a worker of it. members: all that have an actor."""
    tracks = _tracked(memory.tracks, members, now_s)
    overdue = [name for name, track in tracks.items() if _is_overdue(track, rules, now_s)]
    failed = [f"the broker has not heard of {name} within {rules.start_grace_s:.0f} s" for name in overdue]
    failed += _failed(memory.tracks, tracks, members)
    succeeded = any(
        track.registered and name in memory.tracks and not memory.tracks[name].registered
        for name, track in tracks.items()
    )
    backoff = memory.backoff.after(failed, succeeded, rules, now_s)

    active = {
        name: track
        for name, track in tracks.items()
        if track.phase not in LEAVING and not track.ending and name not in overdue
    }
    living = sum(track.phase is not Phase.GONE for track in tracks.values())
    busy = sum(track.phase is Phase.BUSY for track in active.values())
    wanted = max(rules.min_workers, min(rules.max_workers, busy + pending))
    start = max(0, min(wanted - len(active), rules.max_workers - living))
    if backoff.failures:
        # After a failure, one worker at a time is tried, until one succeeds.
        is_trying = any(not track.registered for track in active.values())
        start = min(start, 1) if now_s >= backoff.retry_at_s and not is_trying else 0

    surplus = len(active) - wanted
    surplus_since_s = None
    if surplus > 0:
        surplus_since_s = now_s if memory.surplus_since_s is None else memory.surplus_since_s
    withdrawn, drain = _fewer(rules, Memory(active, backoff, memory.reduced_at_s, surplus_since_s), surplus, now_s)
    over = [name for name, track in tracks.items() if track.ending or track.phase in (Phase.GONE, Phase.DRAINED)]
    end = {*over, *overdue, *withdrawn}
    tracks = {name: replace(track, ending=name in end) for name, track in tracks.items()}
    reduced_at_s = now_s if drain or withdrawn else memory.reduced_at_s
    figures = _Figures(pending, len(active), busy, start, len(drain), len(withdrawn), surplus)
    reason = _reason(rules, backoff, figures, now_s)
    after = Memory(tracks, backoff, reduced_at_s, surplus_since_s)
    return Decision(wanted, start, tuple(drain), tuple(sorted(end)), reason, after)


def with_started(memory: Memory, names: Iterable[str], now_s: float) -> Memory:
    """These workers were started, so if they are never seen, their starts have failed."""
    return replace(memory, tracks={**memory.tracks, **{name: Track(Phase.UNPLACED, now_s) for name in names}})


def _tracked(before: Mapping[str, Track], members: Sequence[Member], now_s: float) -> dict[str, Track]:
    tracks = {}
    for member in members:
        old = before.get(member.name, Track(member.phase, now_s))
        at_s = old.at_s if old.phase is member.phase else now_s
        registered = old.registered or member.phase in REGISTERED
        tracks[member.name] = Track(member.phase, at_s, registered, old.ending)
    return tracks


def _is_overdue(track: Track, rules: Rules, now_s: float) -> bool:
    return track.phase is Phase.PLACED and not track.ending and now_s - track.at_s >= rules.start_grace_s


def _failed(before: Mapping[str, Track], tracks: Mapping[str, Track], members: Sequence[Member]) -> list[str]:
    """Why workers have ended that nobody had asked to: in words, one for each.

    A registered one that is lost with its node is no failed start. One whose agent ends by itself counts as one.
    """
    ended = {
        member.name: member.ended
        for member in members
        if member.phase is Phase.GONE and not (member.lost and tracks[member.name].registered)
    }
    unasked = {name: track for name, track in before.items() if not track.ending and track.phase not in LEAVING}
    failed = [
        f"{name}: {ended[name] or 'its agent has ended'}"
        for name, track in tracks.items()
        if name in ended and (name in unasked or name not in before)
    ]
    vanished = [name for name, track in unasked.items() if name not in tracks and not track.registered]
    return failed + [f"the actor of {name} has vanished" for name in vanished]


def _fewer(rules: Rules, active: Memory, surplus: int, now_s: float) -> tuple[list[str], list[str]]:
    """Which members to withdraw, because Ray has not placed them, and which to drain.

    active: the memory, with only those members that count. Only idle workers are drained, the longest idle one first.
    Above max_workers busy ones are as well, and nothing is waited for; they finish their tasks.
    """
    tracks = active.tracks
    too_many = len(tracks) > rules.max_workers
    if surplus <= 0 or (not too_many and now_s - active.reduced_at_s < rules.cool_down_s):
        return [], []

    def has_waited(since_s: float | None) -> bool:
        return too_many or (since_s is not None and now_s - since_s >= rules.idle_s)

    withdrawn = [
        name for name, track in tracks.items() if track.phase is Phase.UNPLACED and has_waited(active.surplus_since_s)
    ][:surplus]
    free_first = sorted(tracks, key=lambda name: (tracks[name].phase is Phase.BUSY, tracks[name].at_s))
    drain = [
        name
        for name in free_first
        if (tracks[name].phase is Phase.FREE and has_waited(tracks[name].at_s))
        or (tracks[name].phase is Phase.BUSY and too_many)
    ]
    return withdrawn, drain[: surplus - len(withdrawn)]


@dataclass(frozen=True)
class _Figures:
    """The numbers that a reason names."""

    pending: int
    active: int
    busy: int
    start: int
    drain: int
    withdrawn: int
    surplus: int


def _reason(rules: Rules, backoff: Backoff, of: _Figures, now_s: float) -> str:
    """The decision in a few sentences."""
    waits = f"Waiting tasks: {of.pending}." if of.pending else "No task waits."
    failed = f" Failed starts: {backoff.failures}. The last one: {backoff.last}." if backoff.failures else ""
    return f"{waits} {_action(rules, backoff, of, now_s)}{failed}"


def _action(rules: Rules, backoff: Backoff, of: _Figures, now_s: float) -> str:
    """What is done, and if nothing is, why."""
    lacking = max(rules.min_workers, min(rules.max_workers, of.busy + of.pending)) - of.active
    if of.start:
        return f"Starting {_workers(of.start)}; running or starting already: {of.active}."
    if (of.drain or of.withdrawn) and of.active > rules.max_workers:
        fewer = _workers(of.drain + of.withdrawn)
        return f"Draining {fewer}: there are {of.active}, and max_workers is {rules.max_workers}."
    if of.drain or of.withdrawn:
        return (
            f"Draining {_workers(of.drain)} after {rules.idle_s:.0f} s idle; not placed and given up: {of.withdrawn}."
        )
    if lacking > 0 and backoff.failures:
        wait_s = max(0.0, backoff.retry_at_s - now_s)
        return f"The next start is tried in {wait_s:.0f} s."
    if lacking > 0:
        return f"Workers that leave still count, and max_workers is {rules.max_workers}."
    if of.pending and of.active >= rules.max_workers:
        return f"Running or starting: {of.active}, which is max_workers."
    if of.surplus > 0:
        return f"Not needed: {_workers(of.surplus)}, drained after {rules.idle_s:.0f} s idle."
    return f"Running or starting: {of.active}. Training: {of.busy}."


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
