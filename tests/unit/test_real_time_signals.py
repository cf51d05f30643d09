"""Ends by signals that Python has no name for: the agent must survive putting them into words."""

from __future__ import annotations

import signal

from trainer_worker.agent.spawned_trainer import describe_end


def test_a_signal_without_a_name_is_numbered() -> None:
    number = int(signal.SIGRTMIN) + 1
    assert describe_end(-number, [], 0.0) == f"was killed by signal {number}"


def test_a_signal_with_a_name_keeps_it() -> None:
    assert describe_end(-signal.SIGSEGV, [], 2048.0) == "was killed by SIGSEGV at 2.0 GB"
