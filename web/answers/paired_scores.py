"""Compares finished tasks on the held-out pictures that all of them have. Pure.

A picture is recognised by the SHA-256 of its file, so it may have been renamed. A picture whose label or mask differs
between the tasks is left out, because the models would be compared with different truths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from web.api.compare import (
    MOST_DISAGREEMENTS,
    ComparedScore,
    ComparedTasks,
    Disagreement,
    ScoreDifference,
)

#: The quantile of the standard normal distribution that leaves 2.5 % above.
Z = 1.959964
#: With fewer pictures, an interval says nothing. The gate, which decides what comes into use, has the same bound.
LEAST_PICTURES = 5
ACCURACY = "accuracy"
#: Two segmenters disagree on a picture if their Dice scores differ by more than this.
SAME_DICE = 0.01


class Answer(NamedTuple):
    """A task's answer for one picture. truth: the picture's label, or the SHA-256 of its mask.

    label: the predicted label; "" for masks. score: 1 or 0 for a right or wrong label, or the Dice of a mask.
    """

    file: str
    truth: str
    label: str
    score: float


class Judged(NamedTuple):
    """A task with its answers for its held-out pictures, by their SHA-256."""

    task_id: str
    measure: str
    answers: dict[str, Answer]


class _HeldOut(msgspec.Struct, frozen=True):
    measure: str
    pictures: dict[str, tuple[str, float]]


class _Entry(msgspec.Struct, frozen=True):
    file: str
    sha256: str = ""
    predicted: str = ""


class _Metrics(msgspec.Struct, frozen=True):
    held_out: list[_Entry] = []


def judged(task_id: str, held_out: bytes, metrics: bytes) -> Judged:
    """held_out, metrics: held_out.json and metrics.json as the worker has written them. Raises MsgspecError."""
    scores = msgspec.json.decode(held_out, type=_HeldOut)
    entries = {entry.sha256: entry for entry in msgspec.json.decode(metrics, type=_Metrics).held_out}
    answers = {
        content: Answer(entries[content].file, truth, entries[content].predicted, score)
        for content, (truth, score) in scores.pictures.items()
        if content in entries
    }
    return Judged(task_id, scores.measure, answers)


def compared(tasks: Sequence[Judged]) -> ComparedTasks:
    """tasks: two or more; each is compared with the first one."""
    first, *others = tasks
    measure = first.measure if all(task.measure == first.measure for task in others) else ""
    common = [
        content
        for content, answer in sorted(first.answers.items(), key=lambda item: item[1].file)
        if measure and all(content in t.answers and t.answers[content].truth == answer.truth for t in others)
    ]
    scores = [[task.answers[content].score for content in common] for task in tasks]
    apart = [content for content in common if _disagree(measure, [task.answers[content] for task in tasks])]
    apart.sort(key=lambda content: -_spread([task.answers[content].score for task in tasks]))
    return ComparedTasks(
        tasks=tuple(task.task_id for task in tasks),
        measure=measure,
        pictures=len(common),
        scores=tuple(_score(task.task_id, measure, given) for task, given in zip(tasks, scores, strict=True)),
        differences=tuple(
            _difference((task.task_id, first.task_id), measure, given, scores[0])
            for task, given in zip(others, scores[1:], strict=True)
        ),
        disagreements=tuple(_disagreement(measure, content, tasks) for content in apart[:MOST_DISAGREEMENTS]),
        disagreeing=len(apart),
    )


def wilson(right: int, pictures: int) -> tuple[float, float]:
    """The 95 % interval of the share of right answers (Wilson, 1927). pictures: more than 0."""
    share, spread = right / pictures, Z**2 / pictures
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + (spread / 2) ** 2) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(both: int, now_only: int, before_only: int, neither: int) -> tuple[float, float]:
    """The 95 % interval of the difference between two shares of right answers for the same pictures: now minus before.

    It is the hybrid score interval with a corrected correlation, method 10 of Newcombe: Improved confidence intervals
    for the difference between binomial proportions based on paired data, Statistics in Medicine 17 (1998), 2635-2650.
    The sum of the counts is more than 0.
    """
    pictures = both + now_only + before_only + neither
    now, before = (both + now_only) / pictures, (both + before_only) / pictures
    (now_low, now_high), (before_low, before_high) = (
        wilson(right, pictures) for right in (both + now_only, both + before_only)
    )
    margins = (both + now_only) * (before_only + neither) * (both + before_only) * (now_only + neither)
    product = float(both * neither - now_only * before_only)
    if product > 0:
        product = max(product - pictures / 2, 0.0)
    correlation = product / math.sqrt(margins) if margins else 0.0
    below, above = (
        math.sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))
        for one, other in ((now - now_low, before_high - before), (now_high - now, before - before_low))
    )
    return now - before - below, now - before + above


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of two values or more (Student, 1908).

    The quantile of the t distribution is the expansion 26.7.5 of Abramowitz and Stegun (1964). From four degrees of
    freedom on it is right to 1 %.
    """
    mean, freedom = math.fsum(values) / len(values), float(len(values) - 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / freedom)
    t = Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)
    t += (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * freedom**3)
    half = t * deviation / math.sqrt(len(values))
    return mean - half, mean + half


def _score(task_id: str, measure: str, scores: Sequence[float]) -> ComparedScore:
    if not scores:
        return ComparedScore(task_id=task_id, value=None, low=None, high=None)
    value, low, high = math.fsum(scores) / len(scores), None, None
    if len(scores) >= LEAST_PICTURES:
        low, high = wilson(round(sum(scores)), len(scores)) if measure == ACCURACY else mean_interval(scores)
        low, high = max(0.0, low), min(1.0, high)
    return ComparedScore(task_id=task_id, value=value, low=low, high=high)


def _difference(tasks: tuple[str, str], measure: str, now: Sequence[float], before: Sequence[float]) -> ScoreDifference:
    """tasks: the one that is compared, and the one that it is compared with."""
    apart = [one - other for one, other in zip(now, before, strict=True)]
    better, worse = sum(value > 0 for value in apart), sum(value < 0 for value in apart)
    value = math.fsum(apart) / len(apart) if apart else None
    low = high = None
    if len(apart) >= LEAST_PICTURES:
        if measure == ACCURACY:
            both = round(sum(now)) - better
            low, high = newcombe(both, better, worse, len(apart) - both - better - worse)
        else:
            low, high = (max(-1.0, min(1.0, end)) for end in mean_interval(apart))
    return ScoreDifference(
        task_id=tasks[0],
        against=tasks[1],
        value=value,
        low=low,
        high=high,
        now_only_right=better,
        before_only_right=worse,
        sentence=_sentence(tasks[1], len(apart), value, (low, high)),
    )


def _sentence(against: str, pictures: int, value: float | None, interval: tuple[float | None, float | None]) -> str:
    low, high = interval
    if value is None or low is None or high is None:
        return (
            f"This task has {pictures or 'no'} held-out picture{'s' if pictures != 1 else ''} in common with task "
            f"{against}, with the same label or mask. That is too few to compare them."
        )
    points = f"{100 * abs(value):.1f} points"
    known = f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}, {pictures} pictures)"
    if low > 0:
        return f"Better than task {against} by {points} {known}."
    if high < 0:
        return f"Worse than task {against} by {points} {known}."
    return f"Too close to call: the score differs from that of task {against} by {100 * value:+.1f} points {known}."


def _disagree(measure: str, answers: Sequence[Answer]) -> bool:
    if measure == ACCURACY:
        return len({answer.label for answer in answers}) > 1
    return _spread([answer.score for answer in answers]) > SAME_DICE


def _spread(scores: Sequence[float]) -> float:
    return max(scores) - min(scores)


def _disagreement(measure: str, content: str, tasks: Sequence[Judged]) -> Disagreement:
    first, by_label = tasks[0].answers[content], measure == ACCURACY
    said = {task.task_id: task.answers[content] for task in tasks}
    return Disagreement(
        picture=first.file,
        truth=first.truth if by_label else "",
        answers={task_id: answer.label if by_label else answer.score for task_id, answer in said.items()},
    )
