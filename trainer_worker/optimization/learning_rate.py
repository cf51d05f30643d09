"""The learning rate of each step of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class RateSchedule:
    """A linear rise to `peak` over the first warm_up_steps, then a cosine decay to `final_share` of it.

    The decay is that of SGDR (Loshchilov and Hutter 2017). It begins with step decays_from. steps: of the whole
    training. Keras's schedules are not used because they are traced once for each weight, which takes seconds per
    task.
    """

    peak: float
    steps: int
    warm_up_steps: int
    decays_from: int = 0
    final_share: float = 0.0

    def at(self, step: int, time_spent: float = 0.0) -> float:
        """The learning rate of a step, counted from 0.

        time_spent: the share of the time that is over, for a training that its time may end. The decay follows steps
        or time, whichever is further (budgeted training, Li et al. 2020).
        """
        by_steps = (step - self.decays_from) / max(1, self.steps - self.decays_from)
        done = min(1.0, max(0.0, by_steps, time_spent))
        share = self.final_share + (1 - self.final_share) * (1 + math.cos(math.pi * done)) / 2
        return self.peak * min(1.0, (step + 1) / self.warm_up_steps) * share
