"""Which backbone `backbone=auto` means: the largest that there is time for. Pure.

The planned seconds are the trainer's own plan for this folder and these options, so few pictures, small ones or few
epochs allow a larger network. They are a guess, for two cores with nothing else to do: hence a good margin.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Of the time budget that a plan may fill: the machine may be half as fast as the plan's, or as busy.
FITTING_SHARE = 0.5


def choose(planned_s: Mapping[str, float], budget_s: float) -> tuple[str, str]:
    """Name of the backbone and a sentence on why.

    planned_s: seconds of the whole task with each backbone, from the smallest to the largest. budget_s: 0 for none.
    """
    smallest = next(iter(planned_s))
    if budget_s <= 0:
        return smallest, f"backbone=auto without a timeBudget is the quickest, {smallest}."
    fitting = [name for name, seconds in planned_s.items() if seconds <= FITTING_SHARE * budget_s]
    if not fitting:
        return smallest, (
            f"backbone=auto: the quickest, {smallest}, as its planned {planned_s[smallest]:.0f} s fill more than "
            f"{FITTING_SHARE:.0%} of the timeBudget of {budget_s:g} s."
        )
    largest = fitting[-1]
    return largest, (
        f"backbone=auto: {largest} is the largest whose planned {planned_s[largest]:.0f} s fill at most "
        f"{FITTING_SHARE:.0%} of the timeBudget of {budget_s:g} s."
    )
