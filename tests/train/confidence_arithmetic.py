"""Computes calibration and "unknown" of a classifier once more, with other code, from what its models answered.

The temperature is the best of a grid, bins are filled picture by picture, and the classes that play strangers are told
from the others by normal densities.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import multivariate_normal

from tests.report_reading import ReportReader
from tests.train.written_figures import percent, points
from trainer_worker.classification import publication
from trainer_worker.classification.confidence import measure_confidence

#: Temperatures that are tried: from a quarter to 4, 0.07 % apart.
TEMPERATURES = np.geomspace(0.25, 4, 4001)


@dataclass
class Answers:
    """What a training knew when it measured the confidence of its model. probabilities: as the models were trained."""

    probabilities: Any
    truth: Any
    groups: Any
    seed: int
    pooled: Any
    classes: Any
    train: Any
    held_out: Any


@contextmanager
def noted_answers() -> Iterator[list[Answers]]:
    """The answers of each training that takes place meanwhile."""
    noted: list[Answers] = []

    def noting(data: Any, partition: Any, evaluation: Any, seed: int) -> Any:
        classes, split = data.folders.classes, partition.split
        rows = evaluation.rows
        together = partition.copies.together[rows]
        noted.append(
            Answers(
                *(evaluation.probabilities.astype(float), classes[rows], together, seed),
                *(data.plain.pooled.astype(float), classes, split.train, split.held_out),
            )
        )
        return measure_confidence(data, partition, evaluation, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publication, "measure_confidence", noting)
        yield noted


def check_confidence(folder: Path, answers: Answers) -> None:
    """folder: of the model that the answers belong to."""
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    page = ReportReader((folder / "report.html").read_text("utf-8"))
    _check_calibration(metrics["calibration"], page, answers)
    _check_unknown(metrics, page, answers)


def _check_calibration(told: dict[str, Any], page: ReportReader, answers: Answers) -> None:
    given, truth = answers.probabilities, answers.truth
    across = _each_half_by_the_other(answers)
    helps = _surprise(across, truth) < _surprise(given, truth)
    best = _best_temperature(given, truth) if helps else 1.0
    before, after = _bins(given, truth), _bins(across if helps else given, truth)

    assert told["temperature"] == pytest.approx(best, rel=2e-3)
    for name, bins in (("before", before), ("after", after)):
        assert told[f"ece_{name}"] == pytest.approx(_error(bins), abs=1e-3)
        assert [entry["pictures"] for entry in told[name]] == [len(entries) for entries in bins]
        for entry, entries in zip(told[name], bins, strict=True):
            assert entry["confidence"] == pytest.approx(np.mean([sure for sure, _ in entries]), abs=2e-3)
            assert entry["accuracy"] == pytest.approx(np.mean([right for _, right in entries]), abs=1e-6)
    text = next(text for text in page.sections["calibration"].texts if text.startswith("Of all answers"))
    assert f"off by {points(told['ece_after'])} on average" in text
    assert (f"they were off by {points(told['ece_before'])}." in text) == helps
    assert (f"(a temperature of {best:.2f})" in text) == helps
    shown = page.table("calibration", "Answers as exported")
    assert [row[3] for row in shown] == [str(len(entries)) for entries in after]
    assert [row[2] for row in shown] == [percent(float(np.mean([right for _, right in entries]))) for entries in after]


def _best_temperature(probabilities: Any, truth: Any) -> float:
    """With the prior that the product documents: log T is normal around 0 with a deviation of 0.5."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    costs = [
        -np.log(softmax(logs / t, axis=1)[np.arange(len(truth)), truth]).sum() + 2 * math.log(t) ** 2
        for t in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(costs))])


def _each_half_by_the_other(answers: Answers) -> Any:
    """The probabilities of each half of the groups at the temperature of the other half."""
    names = sorted(set(answers.groups.tolist()))
    turn = dict(zip(names, np.random.default_rng(answers.seed).permutation(len(names)).tolist(), strict=True))
    halves: dict[bool, list[int]] = {True: [], False: []}
    for row, group in enumerate(answers.groups.tolist()):
        halves[turn[group] % 2 == 0].append(row)
    found = answers.probabilities.copy()
    for half, rows in halves.items():
        others = halves[not half]
        best = _best_temperature(answers.probabilities[others], answers.truth[others]) if others else 1.0
        powers = answers.probabilities[rows] ** (1 / best)
        found[rows] = powers / powers.sum(axis=1, keepdims=True)
    return found


def _surprise(probabilities: Any, truth: Any) -> float:
    return float(np.mean([-math.log(max(row[label], 1e-38)) for row, label in zip(probabilities, truth, strict=True)]))


def _bins(probabilities: Any, truth: Any) -> list[list[tuple[float, bool]]]:
    """(confidence, whether it is right) of the answers, in bins of as many answers each, the least sure first."""
    answers = sorted(
        ((float(row.max()), int(row.argmax()) == label) for row, label in zip(probabilities, truth, strict=True)),
        key=lambda answer: answer[0],
    )
    number = max(1, min(10, len(answers) // 20))
    share, more = divmod(len(answers), number)
    ends = [0]
    for index in range(number):
        ends.append(ends[-1] + share + (index < more))
    return [answers[first:end] for first, end in itertools.pairwise(ends)]


def _error(bins: list[list[tuple[float, bool]]]) -> float:
    gaps = [abs(sum(sure for sure, _ in entries) - sum(right for _, right in entries)) for entries in bins]
    return sum(gaps) / sum(map(len, bins))


def _check_unknown(metrics: dict[str, Any], page: ReportReader, answers: Answers) -> None:
    told = metrics["unknown"]
    scored = [*metrics["held_out"], *metrics["cross_validated"]]
    right = [entry["probability"] for entry in scored if entry["truth"] == entry["predicted"]]
    threshold = _largest_that_keeps(right)
    kept = sum(sure >= threshold for sure in right) / len(right)
    spotted = _spotted(answers)

    assert told["threshold"] == pytest.approx(threshold)
    assert told["kept"] == pytest.approx(kept)

    assert told["spotted"] == (None if spotted is None else pytest.approx(spotted, abs=0.05))
    (text,) = [text for text in page.sections["calibration"].texts if text.startswith("Treat")]
    assert text.startswith(f"Treat an answer below {100 * threshold:.1f} % as “unknown”. That keeps {percent(kept)} of")
    if spotted is not None:
        assert f"an estimated {percent(told['spotted'])} of the photos that show none" in text


def _largest_that_keeps(right: list[float]) -> float:
    """The largest of these probabilities that 95 % of them reach, rounded down to four decimals."""
    reached = [sure for sure in right if 20 * sum(other >= sure for other in right) >= 19 * len(right)]
    return math.floor(max(reached) * 10_000) / 10_000


def _spotted(answers: Answers) -> float | None:
    """The mean over all classes, each left out in turn; None for fewer than three."""
    labels = np.unique(answers.classes[answers.train])
    if len(labels) < 3:
        return None
    features = _components(answers)
    shares = []
    for stranger in labels:
        train, held_out = (rows[answers.classes[rows] != stranger] for rows in (answers.train, answers.held_out))
        known = [label for label in labels if label != stranger]
        densities = _densities(features[train], answers.classes[train], known)
        sure, named = densities(features[held_out])
        right = sure[np.array(known)[named] == answers.classes[held_out]]
        everything = np.concatenate([answers.train, answers.held_out])
        strangers = everything[answers.classes[everything] == stranger]
        if len(right):
            shares.append((densities(features[strangers])[0] < _largest_that_keeps(right.tolist())).mean())
    return float(np.mean(shares))


def _components(answers: Answers) -> Any:
    """The features along the 64 directions in which those of the training pictures vary most."""
    scaled = answers.pooled / (answers.pooled[answers.train].std(axis=0) + 1e-3)
    middle = scaled[answers.train].mean(axis=0)
    directions = np.linalg.svd(scaled[answers.train] - middle, full_matrices=False)[2][:64]
    return (scaled - middle) @ directions.T


def _densities(features: Any, classes: Any, labels: list[int]) -> Any:
    """How sure, and the position of the likeliest label, where every class is a normal cloud of the same shape."""
    means = [features[classes == label].mean(axis=0) for label in labels]
    apart = np.concatenate([features[classes == label] - mean for label, mean in zip(labels, means, strict=True)])
    shape = apart.T @ apart
    shape /= len(features)
    shape += 0.1 * np.trace(shape) / len(shape) * np.eye(len(shape))

    def densities(rows: Any) -> tuple[Any, Any]:
        shares = softmax(np.stack([multivariate_normal(mean, shape).logpdf(rows) for mean in means], axis=1), axis=1)
        return shares.max(axis=1), shares.argmax(axis=1)

    return densities
