"""What the number of pictures in each class means for a training."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.name_lists import some_of

#: With fewer pictures a class is hardly learned, and its score says little.
FEW_PICTURES = 20
#: Classes whose sizes differ by this factor are named. All classes count alike in training.
IMBALANCE = 5
#: Classes that a sentence names.
MOST_NAMED = 8


def count_findings(counts: Mapping[str, int]) -> list[Finding]:
    """Findings about small classes. counts: pictures of each class. The layout itself names classes without any."""
    sizes = {label: number for label, number in counts.items() if number}
    if not sizes:
        return []
    found = []
    few = {label: number for label, number in sizes.items() if number < FEW_PICTURES}
    if few:
        found.append(
            finding(
                "few_pictures",
                Severity.WARNING,
                f"Classes with fewer than {FEW_PICTURES} pictures: {_named(few)}. Their scores say little.",
                f"Add pictures until each class has {FEW_PICTURES} or more; 50 are better.",
            )
        )
    largest, smallest = max(sizes.values()), min(sizes.values())
    if largest >= IMBALANCE * smallest:
        low = {label: number for label, number in sizes.items() if largest >= IMBALANCE * number}
        found.append(
            finding(
                "imbalance",
                Severity.INFO,
                f"The largest class has {largest} pictures, {largest / smallest:.0f} times as many as the smallest. "
                f"All classes count alike in training. Far smaller than the largest: {_named(low)}.",
                "More pictures of the small classes help most.",
            )
        )
    return found


def _named(sizes: Mapping[str, int]) -> str:
    ordered = sorted(sizes.items(), key=lambda item: item[1])
    return some_of([f"{label} ({number})" for label, number in ordered], most=MOST_NAMED)
