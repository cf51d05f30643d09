"""Finished tasks beside each other: common pictures, intervals of differences, and disagreements."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.sample_tasks import hex_id
from web.answers.paired_scores import Judged, compared, judged, mean_interval, newcombe, wilson
from web.api.compare import MOST_DISAGREEMENTS

FIRST, SECOND, THIRD = (hex_id(name) for name in ("first", "second", "third"))


def content(number: int) -> str:
    return f"{number:064x}"


def classifier(task_id: str, labels: Sequence[str], begin: int = 0, truth: str = "cat", folder: str = "") -> Judged:
    """A task that gives these labels to the pictures from number `begin` on, all of which are cats."""
    numbers = range(begin, begin + len(labels))
    held_out = {
        "measure": "accuracy",
        "pictures": {content(n): [truth, float(label == truth)] for n, label in zip(numbers, labels, strict=True)},
    }
    metrics = {
        "held_out": [
            {"file": f"{folder}{n:04}.jpg", "sha256": content(n), "truth": truth, "predicted": label}
            for n, label in zip(numbers, labels, strict=True)
        ]
    }
    return judged(task_id, json.dumps(held_out).encode(), json.dumps(metrics).encode())


def segmenter(task_id: str, dice: Sequence[float]) -> Judged:
    pictures = {content(n): ["mask", value] for n, value in enumerate(dice)}
    entries = [{"file": f"{n}.jpg", "sha256": content(n), "dice": value} for n, value in enumerate(dice)]
    held_out = json.dumps({"measure": "dice", "pictures": pictures}).encode()
    return judged(task_id, held_out, json.dumps({"held_out": entries}).encode())


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # The first is the example of Newcombe (1998), method 10. The others follow from Wilson's limits by hand.
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((0, 10, 0, 40), 0.0870, 0.3304),
        ((30, 0, 0, 0), -0.1135, 0.1135),
    ],
)
def test_the_interval_of_a_difference_of_shares(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    assert newcombe(*counts) == pytest.approx((low, high), abs=1e-3)
    both, now_only, before_only, neither = counts
    assert newcombe(both, before_only, now_only, neither) == pytest.approx((-high, -low), abs=1e-3)


def test_the_interval_of_a_mean_is_students() -> None:
    assert mean_interval([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((1.0367, 4.9633), abs=0.01)
    assert mean_interval([0.5] * 6) == (0.5, 0.5)
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_tasks_are_compared_on_the_pictures_that_all_have() -> None:
    before = classifier(FIRST, ["cat"] * 30 + ["dog"] * 10)
    now = classifier(SECOND, ["dog"] * 2 + ["cat"] * 38, begin=10, folder="moved/")
    view = compared([before, now])

    assert (view.tasks, view.measure, view.pictures) == ((FIRST, SECOND), "accuracy", 30)
    assert [score.value for score in view.scores] == [20 / 30, 28 / 30]
    (difference,) = view.differences
    assert (difference.task_id, difference.against) == (SECOND, FIRST)
    assert difference.value == pytest.approx(8 / 30)
    assert (difference.now_only_right, difference.before_only_right) == (10, 2)
    assert (difference.low, difference.high) == newcombe(18, 10, 2, 0)
    assert difference.sentence.startswith(f"Better than task {FIRST} by 26.7 points (95 % interval +")
    assert compared([now, before]).differences[0].sentence.startswith(f"Worse than task {SECOND}")
    assert view.disagreeing == len(view.disagreements) == 12
    assert view.disagreements[0].picture == "0010.jpg", "as the first task names it"
    assert view.disagreements[0].truth == "cat"
    assert view.disagreements[0].answers == {FIRST: "cat", SECOND: "dog"}


def test_pictures_with_another_truth_do_not_count_and_too_few_say_nothing() -> None:
    before, relabelled = classifier(FIRST, ["cat"] * 10), classifier(SECOND, ["cat"] * 10, truth="dog")
    none = compared([before, relabelled])
    assert (none.pictures, none.differences[0].value, none.scores[0].value) == (0, None, None)
    assert none.differences[0].sentence.startswith("This task has no held-out pictures in common")

    few = compared([before, classifier(SECOND, ["dog"] * 10, begin=6)])
    assert (few.pictures, few.differences[0].value, few.differences[0].low) == (4, -1.0, None)
    assert few.differences[0].sentence.startswith("This task has 4 held-out pictures in common")
    other = compared([before, segmenter(SECOND, [0.5] * 10)])
    assert (other.measure, other.pictures) == ("", 0)


def test_masks_are_compared_by_their_dice() -> None:
    before, now = [0.5, 0.6, 0.7, 0.8, 0.9, 0.4], [0.6, 0.7, 0.7, 0.9, 0.9, 0.9]
    view = compared([segmenter(FIRST, before), segmenter(SECOND, now)])
    (difference,) = view.differences
    assert difference.value == pytest.approx(0.8 / 6)
    assert (difference.low, difference.high) == pytest.approx(mean_interval([0.1, 0.1, 0.0, 0.1, 0.0, 0.5]))
    assert (difference.now_only_right, difference.before_only_right) == (4, 0)
    assert difference.sentence.startswith("Too close to call")
    assert [each.picture for each in view.disagreements] == ["5.jpg", "0.jpg", "1.jpg", "3.jpg"]
    assert (view.disagreements[0].truth, view.disagreements[0].answers) == ("", {FIRST: 0.4, SECOND: 0.9})


def test_four_tasks_and_many_disagreements() -> None:
    many = MOST_DISAGREEMENTS + 50
    tasks = [classifier(FIRST, ["cat"] * many), classifier(SECOND, ["dog"] * many), classifier(THIRD, ["cow"] * many)]
    view = compared(tasks)
    assert [(each.task_id, each.against) for each in view.differences] == [(SECOND, FIRST), (THIRD, FIRST)]
    assert (len(view.disagreements), view.disagreeing) == (MOST_DISAGREEMENTS, many)
