"""What the number of pictures in each class means for a training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.name_lists import some_of

#: With fewer pictures a class is hardly learned, and its score says little.
FEW_PICTURES = 20
#: With fewer pictures of a class in the scoring part of the caller's own split, its score says little. It is the share
#: of FEW_PICTURES that is held out by default.
FEW_SCORED = 4
#: Classes whose sizes differ by this factor are named. All classes count alike in training.
IMBALANCE = 5
#: With fewer pictures with masks than this, the score of a segmenter rests on three or fewer.
FEW_PAIRS = 20
#: Classes that a sentence names.
MOST_NAMED = 8


def count_findings(trained: Mapping[str, int], scored: Mapping[str, int] = MappingProxyType({})) -> list[Finding]:
    """Findings about small classes. The layout itself names classes without any picture.

    trained: the pictures of each class that train; without a split of the caller's own, all of them. scored: those of
    the caller's own split that score the model.
    """
    sizes = {label: number for label, number in trained.items() if number}
    if not sizes:
        return []
    found = []
    few = {label: sizes[label] + scored.get(label, 0) for label in sizes}
    few = {label: number for label, number in few.items() if number < FEW_PICTURES}
    if few:
        found.append(
            finding(
                "few_pictures",
                Severity.WARNING,
                f"Classes with fewer than {FEW_PICTURES} pictures: {_named(few)}. Their scores say little.",
                f"Add pictures until each class has {FEW_PICTURES} or more; 50 are better.",
            )
        )
    few_scored = {label: number for label, number in scored.items() if 0 < number < FEW_SCORED and label not in few}
    if few_scored:
        found.append(
            finding(
                "few_to_score",
                Severity.WARNING,
                f"The folder's own split has fewer than {FEW_SCORED} pictures to score these classes with: "
                f"{_named(few_scored)}. Their scores say little.",
                "Move pictures of these classes from train to test.",
            )
        )
    largest, smallest = max(sizes.values()), min(sizes.values())
    if largest >= IMBALANCE * smallest:
        low = {label: number for label, number in sizes.items() if largest >= IMBALANCE * number}
        found.append(
            finding(
                "imbalance",
                Severity.INFO,
                f"The largest class has {largest} pictures to train on, {largest / smallest:.0f} times as many as the "
                f"smallest. All classes count alike in training. Far smaller than the largest: {_named(low)}.",
                "More pictures of the small classes help most.",
            )
        )
    return found


def pair_count_findings(pairs: int) -> list[Finding]:
    """pairs: the number of pictures with masks that can be read."""
    if pairs >= FEW_PAIRS:
        return []
    sentence = f"There are only {pairs} pictures with masks, so the model's score says little."
    cure = f"Add pictures with masks until there are {FEW_PAIRS} or more; 100 are better."
    return [finding("few_pairs", Severity.WARNING, sentence, cure)]


def _named(sizes: Mapping[str, int]) -> str:
    ordered = sorted(sizes.items(), key=lambda item: item[1])
    return some_of([f"{label} ({number})" for label, number in ordered], most=MOST_NAMED)
