"""Calibrates the probabilities of a trained model by one temperature (Guo and others, 2017), and says how far off they
were.

A temperature T turns probabilities p into softmax(log p / T). This changes no decision, because the order of the
probabilities stays. Above 1 the model becomes less sure of its answers, below 1 surer. Pure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.25, 4.0
#: The standard deviation of log T around 0 before any picture is seen. It keeps a few pictures, all of them right, from
#: asking for endless confidence (docs/choices.md, "Temperature of few pictures").
LOG_TEMPERATURE_DEVIATION = 0.5
#: The temperature is searched for to this relative precision.
SEARCHED_TO = 1e-4
#: The temperature is fitted to as many answers as have this many probabilities. More would take seconds.
MOST_FITTED = 2_000_000
#: Bins hold equally many pictures, at least PICTURES_A_BIN, so that the sure answers don't all fall into one bin
#: (docs/choices.md, "Bins of the calibration error").
MOST_BINS, PICTURES_A_BIN = 10, 20
#: A sigmoid in float32 can't come nearer to 1 than this. The smallest probability of a softmax is that of float32.
SIGMOID_STEP = 2.0**-24
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Bin:
    """Answers of similar confidence. low, high: the smallest and the largest confidence in it."""

    low: float
    high: float
    confidence: float
    accuracy: float
    pictures: int


@dataclass(frozen=True)
class Reliability:
    """How far confidence and accuracy are apart.

    error: the expected calibration error, the mean over all answers of |confidence - accuracy| of their bin, 0 to 1.
    """

    error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Calibration:
    """before, after: as the model was trained, and with temperatures that the scored answers had no part in.

    The temperature is 1, and `after` is as before, where the estimate does not show that another one helps.
    """

    temperature: float
    before: Reliability
    after: Reliability

    def facts(self) -> dict[str, float]:
        """For manifest.json."""
        return {
            "temperature": self.temperature,
            "ece_before": self.before.error,
            "ece_after": self.after.error,
        }

    def report(self) -> dict[str, Any]:
        """For metrics.json: the facts, and the bins that they were computed from."""
        sides = {"before": self.before, "after": self.after}
        return self.facts() | {name: [asdict(entry) for entry in side.bins] for name, side in sides.items()}


def calibrate(probabilities: Probabilities, truth: Integers, groups: Integers, seed: int) -> Calibration:
    """Fit a temperature, and estimate what it does to answers that it was not fitted to.

    probabilities: (n, labels), or (n, 1) for the probability of class 1; n >= 1. truth: (n,). groups: (n,), equal
    numbers for answers that belong together, such as copies of a picture or pixels of one picture. For the estimate,
    each half of the groups is scored with the temperature of the other half. If that does not make the truth likelier,
    the answers are too few or too unlike to choose a temperature by.
    """
    columns = _columns(probabilities)
    in_first = _half(groups, seed)
    across = np.empty_like(columns)
    for half in (in_first, ~in_first):
        across[half] = tempered(columns[half], fit_temperature(columns[~half], truth[~half]))
    before = measure_reliability(columns, truth)
    if _surprise(across, truth) >= _surprise(columns, truth):
        return Calibration(1.0, before, before)
    return Calibration(fit_temperature(columns, truth), before, measure_reliability(across, truth))


def fit_temperature(probabilities: Probabilities, truth: Integers) -> float:
    """The temperature that makes the truth most likely, between LEAST_TEMPERATURE and MOST_TEMPERATURE.

    The fewer the answers, the nearer it is to 1; without any it is 1. The arguments are those of `calibrate`.
    """
    columns = _columns(probabilities)
    if not len(columns):
        return 1.0
    from scipy.optimize import minimize_scalar  # takes a while to import; the check of a folder never needs it

    step = -(-columns.size // MOST_FITTED)
    logs, truth = np.log(columns[::step]), truth[::step]
    rows = np.arange(len(logs))

    def cost(log_temperature: float) -> float:
        scaled = logs * np.exp(-log_temperature)
        most = scaled.max(axis=1)
        surprise = np.log(np.exp(scaled - most[:, None]).sum(axis=1)) + most - scaled[rows, truth]
        return float(surprise.sum()) + (log_temperature / LOG_TEMPERATURE_DEVIATION) ** 2 / 2

    bounds = (np.log(LEAST_TEMPERATURE), np.log(MOST_TEMPERATURE))
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": SEARCHED_TO})
    return float(np.exp(found.x))


def tempered(probabilities: Probabilities, temperature: float) -> Probabilities:
    """The same probabilities at this temperature, in their own shape (..., labels) or (..., 1) and their own type."""
    columns = _columns(probabilities)
    scaled = _softmax(np.log(columns) / temperature)
    found = scaled[..., 1:] if probabilities.shape[-1] == 1 else scaled
    return found.astype(probabilities.dtype)


def measure_reliability(probabilities: Probabilities, truth: Integers) -> Reliability:
    """The reliability of the likeliest class of each answer. The arguments are those of `calibrate`."""
    columns = _columns(probabilities)
    confidence, right = columns.max(axis=1), columns.argmax(axis=1) == truth
    order = np.argsort(confidence, kind="stable")
    bins = [
        Bin(
            low=float(confidence[rows[0]]),
            high=float(confidence[rows[-1]]),
            confidence=float(confidence[rows].mean()),
            accuracy=float(right[rows].mean()),
            pictures=len(rows),
        )
        for rows in np.array_split(order, max(1, min(MOST_BINS, len(order) // PICTURES_A_BIN)))
    ]
    error = sum(entry.pictures * abs(entry.confidence - entry.accuracy) for entry in bins) / len(order)
    return Reliability(error, tuple(bins))


def _columns(probabilities: Probabilities) -> Probabilities:
    """One column a class, float64, none of them 0. The probability of class 1 alone becomes those of 0 and 1."""
    given = np.asarray(probabilities, np.float64)
    if given.shape[-1] == 1:
        given = np.clip(given, SIGMOID_STEP, 1 - SIGMOID_STEP)
        return np.concatenate([1 - given, given], axis=-1)
    return np.maximum(given, LEAST_PROBABILITY)


def _surprise(columns: Probabilities, truth: Integers) -> float:
    """The mean negative log likelihood of the truth."""
    given = np.maximum(columns[np.arange(len(truth)), truth], LEAST_PROBABILITY)
    return float(-np.log(given).mean())


def _softmax(logits: Probabilities) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Probabilities = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _half(groups: Integers, seed: int) -> npt.NDArray[np.bool_]:
    """Whether each answer is in the first half; groups are drawn at random, each as a whole."""
    names, number = np.unique(groups, return_inverse=True)
    turn = np.random.default_rng(seed).permutation(len(names))
    chosen: npt.NDArray[np.bool_] = turn[number] % 2 == 0
    return chosen
