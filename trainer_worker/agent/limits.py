"""The limits of an attempt: when it has taken too long, and when a stop that it does not follow is enforced. Pure."""

from __future__ import annotations

from protocol.errors import Failure, FailureClass
from trainer_worker.agent.state import Work

#: How long a training may run beyond its maxSeconds to export the best model so far.
TIME_LIMIT_GRACE_S = 300.0


def why_overdue(work: Work, now_s: float, stall_limit_s: float) -> Failure | None:
    """The failure of a training that does not end after its time limit, or has taken no step for long; else None."""
    limit_s = work.start.spec.max_seconds
    if limit_s and now_s - work.began_at_s >= limit_s + TIME_LIMIT_GRACE_S:
        error = f"The training did not end within {TIME_LIMIT_GRACE_S:.0f} s after maxSeconds={limit_s}."
        return Failure("time_limit", FailureClass.REQUEST, error)
    if work.clock.silent_s(now_s) >= stall_limit_s:
        error = f"the training took no step for {stall_limit_s:.0f} s and was killed."
        return Failure("trainer_stalled", FailureClass.LOST, error)
    return None


def next_rung(work: Work, now_s: float, stop_grace_s: float, kill_grace_s: float) -> str:
    """The signal that is due after the Halt message, which is sent when the stop is ordered; "" if none is.

    A stop that keeps the best model so far gets no signal, because the export takes time.
    """
    if work.halt is None or work.halt.keep or work.number is None:
        return ""
    waited_s = now_s - work.halted_at_s
    if work.rung == "" and waited_s >= stop_grace_s:
        return "SIGTERM"
    if work.rung == "SIGTERM" and waited_s >= stop_grace_s + kill_grace_s:
        return "SIGKILL"
    return ""
