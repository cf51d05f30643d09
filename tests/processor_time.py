"""What something costs in seconds of the processor, which other programs on the machine change little."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 5


def least_processor_s(work: Callable[[], object], enough_s: float = 0.0) -> float:
    """The processor time of this thread for `work`: the least of some tries.

    A try costs more while other programs use the same core and caches. The first one that costs at most enough_s is the
    last.
    """
    least_s = float("inf")
    for _ in range(TRIES):
        began_s = time.thread_time()
        work()
        least_s = min(least_s, time.thread_time() - began_s)
        if least_s <= enough_s:
            break
    return least_s
