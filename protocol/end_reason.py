"""Why a training ended. Callers see the word as `endReason`."""

from __future__ import annotations

import enum


class EndReason(enum.StrEnum):
    """CONVERGED: after as many epochs as suit the number of pictures. EPOCHS: after as many as the caller allowed.
    BUDGET: when the caller's time was used up. STOPPED: on the caller's request. DIVERGED: the learning rate broke the
    model, and what was there before is kept. UNKNOWN: nothing says why.
    """

    CONVERGED = "converged"
    EPOCHS = "epochs"
    BUDGET = "budget"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    UNKNOWN = ""
