"""Chooses the backbone for `backbone=auto`: the largest one that there is time for. Pure.

The planned seconds are the trainer's own plan for this folder and these options, so few or small pictures or few epochs
allow a larger network. The plan assumes two idle cores, so the choice leaves a wide margin.
"""

from __future__ import annotations

from collections.abc import Mapping

#: A plan may fill this share of the time budget (docs/choices.md, "Automatic choice of the backbone").
FITTING_SHARE = 0.5


def choose(planned_s: Mapping[str, float], budget_s: float) -> tuple[str, str]:
    """The name of the backbone and a sentence that says why it was chosen.

    planned_s: seconds of the whole task with each backbone, from the smallest to the largest. budget_s: 0 for none.
    """
    smallest = next(iter(planned_s))
    if budget_s <= 0:
        return smallest, f"backbone=auto without a timeBudget is the quickest, {smallest}."
    fitting = [name for name, seconds in planned_s.items() if seconds <= FITTING_SHARE * budget_s]
    if not fitting:
        return smallest, (
            f"backbone=auto: the quickest, {smallest}, because its planned {planned_s[smallest]:.0f} s fill more than "
            f"{100 * FITTING_SHARE:.0f} % of the timeBudget of {budget_s:g} s."
        )
    largest = fitting[-1]
    return largest, (
        f"backbone=auto: {largest} is the largest whose planned {planned_s[largest]:.0f} s fill at most "
        f"{100 * FITTING_SHARE:.0f} % of the timeBudget of {budget_s:g} s."
    )
