"""How much of the machine other processes used while something was measured."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

#: Seconds of a run count only if other processes used fewer cores than this meanwhile.
QUIET_CORES = 0.3


class OtherWork:
    """Counts from its creation on. The load average would not do, because it counts the measured runs themselves."""

    def __init__(self) -> None:
        self._began_s, self._busy_s, self._own_s = time.perf_counter(), _busy_s(), _own_s()

    def cores(self) -> float:
        """The cores that processes other than this one and its ended children kept busy, in the mean."""
        others_s = (_busy_s() - self._busy_s) - (_own_s() - self._own_s)
        return max(0.0, others_s / (time.perf_counter() - self._began_s))


def _busy_s() -> float:
    """Seconds that all cores together have been busy since the machine was started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, fields[:8])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
