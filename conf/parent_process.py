"""Ties a process to the one that has started it, by a feature of Linux."""

from __future__ import annotations

import ctypes
import signal

#: The number that prctl(2) has for this.
PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals) -> None:
    """From now on, this process gets the signal when the thread that has started it ends, in whatever way.

    A parent that has ended before the call is not noticed.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))
