"""What the person with the photos should know of a classifier's scores. One thing is said once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from protocol.text import printable
from trainer_worker.classification.scores import ClassScores
from trainer_worker.layouts.left_and_right import opposite_sides
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.reporting.figures import percent_in_words

#: A pair is named if at least so many pictures of its two classes were given one of its two labels. With fewer, the
#: warning would often come by chance for a good model.
LEAST_SHOWN = 20
#: Pairs and classes that a warning names.
MOST_PAIRS, MOST_CLASSES = 3, 8

Pair = tuple[int, int, int, int]


def score_warnings(scores: ClassScores, is_mirrored: bool) -> list[str]:
    """The warnings, as sentences. is_mirrored: whether the model has learned from mirrored pictures.

    If guesses explain the scores, that is said of all classes, and no pair of them is named. Nor is a pair with a class
    of which nothing was recognised, since that class is named for it.
    """
    pairs = mixed_up(scores)
    if guesses := _not_better_than_guesses(scores):
        mirrors = _of_mirrors(scores, pairs) if is_mirrored else ""
        return [guesses + mirrors, *_not_recognised(scores)]
    pairs = [pair for pair in pairs if all(scores.per_class[number]["recall"] for number in pair[:2])]
    mirrors = _of_mirrors(scores, pairs) if is_mirrored else ""
    mixed = [_hardly_told_apart(scores, pairs) + mirrors] if pairs else []
    return [*([] if scores.enough else [scores.sentence()]), *_not_recognised(scores), *mixed]


def mixed_up(scores: ClassScores) -> list[Pair]:
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


def _of_mirrors(scores: ClassScores, pairs: Sequence[Pair]) -> str:
    """A sentence, after a blank, if mirrored pictures may explain a pair of which mirrored_sides does not say so."""
    labels = [entry["label"] for entry in scores.per_class]
    said = {frozenset(sides) for sides in opposite_sides(labels)}
    if all({labels[one], labels[other]} in said for one, other, _, _ in pairs):
        return ""
    return " If one class looks like another in a mirror, train again with mirror=never."


def _hardly_told_apart(scores: ClassScores, pairs: Sequence[Pair]) -> str:
    labels = [printable(entry["label"]) for entry in scores.per_class]
    named = [
        f"{labels[one]!r} and {labels[other]!r} ({wrong} of {shown} pictures got the other's label)"
        for one, other, wrong, shown in pairs
    ]
    return (
        f"The model can hardly tell these classes apart: {some_of(named, '; ', MOST_PAIRS)}. See whether their folders "
        "hold what their names say, and add pictures of them."
    )


def _not_recognised(scores: ClassScores) -> list[str]:
    """Classes that the model does not know although pictures of them were there to tell."""
    missed = [entry for entry in scores.per_class if entry["support"] and not entry["recall"]]
    never = [entry for entry in missed if not entry["predicted"]]
    missed = [entry for entry in missed if entry["predicted"]]
    found = []
    if never:
        found.append(
            f"The model never answers with these classes: {_named(never)}. Add pictures of them, and see whether "
            "they can be told from the others."
        )
    if missed:
        found.append(
            f"No picture of these classes was recognised: {_named(missed)}. Add pictures of them, and see whether "
            "their folders hold what their names say."
        )
    return found


def _named(entries: Sequence[dict[str, Any]]) -> str:
    names = [f"{printable(entry['label'])} ({entry['support']} pictures)" for entry in entries]
    return some_of(names, most=MOST_CLASSES)


def _not_better_than_guesses(scores: ClassScores) -> str:
    """A warning if guessing may explain the scores, else "".

    Guessing has a balanced accuracy of 1/classes on average, however often it predicts each class. The spread is
    that of a guesser who predicts all classes equally often: with many pictures, one guesser in forty scores more
    than two spreads above the average.
    """
    supports = [entry["support"] for entry in scores.per_class if entry["support"]]
    chance = 1 / len(supports)
    spread = chance * math.sqrt(sum(chance * (1 - chance) / support for support in supports))
    reached = chance + 2 * spread
    if scores.balanced_accuracy > reached:
        return ""
    if reached >= 1:
        return (
            f"The {sum(supports)} pictures that score the model are too few to tell a good one from guesses. Add "
            "pictures."
        )
    return (
        f"The {sum(supports)} pictures that score the model can't tell it from guesses: its balanced accuracy is "
        f"{percent_in_words(scores.balanced_accuracy)}, guesses reach up to {percent_in_words(reached)}. See whether "
        "the class folders hold what their names say, and add pictures."
    )
