"""Why a training ended. Callers see the word as `endReason`."""

from __future__ import annotations

import enum


class EndReason(enum.StrEnum):
    #: It trained as many epochs as suit the number of pictures.
    CONVERGED = "converged"
    #: It trained as many epochs as the caller allowed.
    EPOCHS = "epochs"
    #: The caller's time was used up.
    BUDGET = "budget"
    #: The caller asked for the best model so far.
    STOPPED = "stopped"
    #: The loss diverged. The model from before that is kept.
    DIVERGED = "diverged"
    #: The reason is not known.
    UNKNOWN = ""
