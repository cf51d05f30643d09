"""The faults: what is done to the leader, the one that stands by, the database, or the connections between them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.chaos.standby.programs import HOSTS, StandbyPrograms
from tests.waiting import wait_until


class Fault(NamedTuple):
    """One fault.

    inject: begins it, and is given the broker that leads. end: undoes what lasts, when a POST has been answered again.
    passes_on: whether the other broker must lead then. within_s: how long it may take until a POST is answered.
    """

    name: str
    inject: Callable[[StandbyPrograms, str], None]
    end: Callable[[StandbyPrograms, str], None]
    passes_on: bool
    within_s: float


def pause_for(seconds: float) -> None:
    """Let a fault last. There is no event to wait for."""
    threading.Event().wait(seconds)


def _nothing(programs: StandbyPrograms, leader: str) -> None:
    pass


def _signal(number: signal.Signals) -> Callable[[StandbyPrograms, str], None]:
    def inject(programs: StandbyPrograms, leader: str) -> None:
        programs.signal(leader, number)

    return inject


def _continue(programs: StandbyPrograms, leader: str) -> None:
    """Let a broker go on that was stopped until another one led. It must notice and end by itself."""
    pid, lost = programs.pid(leader), programs.log_of(leader).count("action=broker.leadership_lost")
    programs.signal(leader, signal.SIGCONT)
    wait_until(
        lambda: programs.pid(leader) != pid, f"the broker that was stopped to end: {programs.log_of(leader)[-2000:]}"
    )
    assert programs.log_of(leader).count("action=broker.leadership_lost") > lost, programs.log_of(leader)[-6000:]


def _pause(seconds: float) -> Callable[[StandbyPrograms, str], None]:
    def inject(programs: StandbyPrograms, leader: str) -> None:
        programs.signal(leader, signal.SIGSTOP)
        pause_for(seconds)
        programs.signal(leader, signal.SIGCONT)

    return inject


def _kill_standby(programs: StandbyPrograms, leader: str) -> None:
    programs.signal(next(name for name in HOSTS if name != leader), signal.SIGKILL)


def _restart_database(programs: StandbyPrograms, leader: str) -> None:
    programs.database.stop(signal.SIGQUIT)
    programs.database.start()


def _cut(programs: StandbyPrograms, leader: str) -> None:
    programs.proxies[leader].cut()


def _freeze(programs: StandbyPrograms, leader: str) -> None:
    programs.proxies[leader].freeze()


def _mend(programs: StandbyPrograms, leader: str) -> None:
    programs.proxies[leader].mend()


def _cut_both(programs: StandbyPrograms, leader: str) -> None:
    for proxy in programs.proxies.values():
        proxy.cut()
    pause_for(3.0)
    for proxy in programs.proxies.values():
        proxy.mend()


FAULTS = (
    Fault("leader: kill -9", _signal(signal.SIGKILL), _nothing, True, 15.0),
    Fault("leader: stopped, and continued when another leads", _signal(signal.SIGSTOP), _continue, True, 15.0),
    Fault("leader: stopped for 3 s", _pause(3.0), _nothing, False, 15.0),
    Fault("leader: SIGTERM, to hand over on purpose", _signal(signal.SIGTERM), _nothing, True, 15.0),
    Fault("database: pg_ctl restart -m immediate", _restart_database, _nothing, False, 15.0),
    Fault("database: connection of the leader reset", _cut, _mend, True, 15.0),
    Fault("database: connection of the leader frozen", _freeze, _mend, True, 15.0),
    Fault("database: connections of both reset for 3 s", _cut_both, _nothing, False, 15.0),
    Fault("standby: kill -9", _kill_standby, _nothing, False, 15.0),
)
