"""Pairs of classes that a model can hardly tell apart, and what may be the reason."""

from __future__ import annotations

import numpy as np

from protocol.text import printable
from trainer_worker.classification.scores import ClassScores

#: A pair is named if at least so many pictures of its two classes were given one of its two labels. With fewer, the
#: warning would often come by chance for a good model.
LEAST_SHOWN = 20
#: Pairs that a warning names.
MOST_NAMED = 3


def mixed_up(scores: ClassScores) -> list[tuple[int, int, int, int]]:
    """The pairs of classes that were taken for each other about as often as for themselves, the most frequent first.

    Each is (class, other class, pictures that got the other's label, pictures that got either label). Guessing gives
    half of the pictures the right label; a pair counts if at most one spread more than that are right.
    """
    confusion = np.array(scores.confusion)
    right = confusion.diagonal()[:, None] + confusion.diagonal()[None, :]
    wrong = confusion + confusion.T
    shown = right + wrong
    guessed = (shown >= LEAST_SHOWN) & (right - wrong <= np.sqrt(shown)) & (confusion > 0) & (confusion.T > 0)
    pairs = np.argwhere(np.triu(guessed, k=1)).tolist()
    pairs.sort(key=lambda pair: -wrong[pair[0], pair[1]])
    return [(one, other, int(wrong[one, other]), int(shown[one, other])) for one, other in pairs]


def mixed_up_warnings(scores: ClassScores, mirrored: bool) -> list[str]:
    """A warning about such pairs. mirrored: whether the model has learned from mirrored pictures."""
    pairs = mixed_up(scores)
    if not pairs:
        return []
    labels = [printable(entry["label"]) for entry in scores.per_class]
    named = "; ".join(
        f"{labels[one]!r} and {labels[other]!r} ({wrong} of {shown} pictures got the other's label)"
        for one, other, wrong, shown in pairs[:MOST_NAMED]
    )
    further = len(pairs) - MOST_NAMED
    more = f", and {further} more pair{'s' if further > 1 else ''}" if further > 0 else ""
    mirrors = "If one looks like the other in a mirror, train again with mirror=never. Otherwise see"
    return [
        f"The model can hardly tell these classes apart: {named}{more}. {mirrors if mirrored else 'See'} whether their "
        "folders hold what their names say, and add pictures of them."
    ]
