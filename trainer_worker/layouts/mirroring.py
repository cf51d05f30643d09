"""Whether training may show pictures mirrored left to right, and what their owner should know of that."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.data_report import Finding, Severity, finding
from protocol.options import Mirror
from trainer_worker.layouts.left_and_right import opposite_sides
from trainer_worker.layouts.name_lists import some_of

#: Pairs of classes that a sentence names.
MOST_NAMED_PAIRS = 3


def may_mirror(labels: Sequence[str], mirror: Mirror) -> bool:
    """Whether a training with these labels shows mirrored pictures. mirror: the option."""
    return mirror == "always" or (mirror == "auto" and not opposite_sides(labels))


def mirror_findings(labels: Sequence[str], mirror: Mirror) -> list[Finding]:
    """Findings about labels that say they are mirror images. mirror=never leaves nothing to say.

    A check says them before it is known whether training varies pictures at all, so they are true in either case.
    """
    pairs = opposite_sides(labels) if mirror != "never" else []
    if not pairs:
        return []
    named = some_of([f"{left!r} and {right!r}" for left, right in pairs], "; ", MOST_NAMED_PAIRS)
    mirror_images = f"By their names, these classes are mirror images of each other: {named}."
    if mirror == "always":
        return [
            finding(
                "mirrored_sides",
                Severity.WARNING,
                f"{mirror_images} mirror=always lets training show their pictures mirrored, too, under the same class.",
                "Post mirror=auto unless a mirrored picture of one class still shows that class.",
            )
        ]
    return [
        finding(
            "not_mirrored",
            Severity.INFO,
            f"{mirror_images} So training does not show pictures mirrored.",
            "Post mirror=always if a mirrored picture of one class still shows that class.",
        )
    ]
