"""Finds pictures whose given label is more likely wrong than right.

The pictures are ranked as in confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating
Uncertainty in Dataset Labels"): by the probability that a model which has not seen a picture gives to its label. How
many of them are wrong is found in another way than there. A model of noise explains the labels: a share of all labels
was swapped for another one by chance, and the rest follows the classifier's probabilities (Bootkrajang and Kabán 2012,
"Label-Noise Robust Logistic Regression and Its Applications"). The share of swapped labels and the temperature of the
probabilities are those that make the given labels most likely. So classes that are easily confused accuse nobody: there
the best temperature is high, and the probabilities explain the labels without noise (docs/choices.md, "Labels that look
wrong").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer_worker.scores.quick_classifier import Doubles, Floats, Rows, Sample

#: A picture is named if its label is wrong with a higher probability than this. A look at a picture costs little, so
#: two of five accusations may be false.
NAMED_ABOVE = 0.4
#: Where fewer are named, this share of all pictures is ranked all the same, for a person who wants to look at some.
RANKED_SHARE = 0.05
#: A label is judged if at least this many pictures have it. Fewer don't show what its pictures look like.
LEAST_OF_LABEL = 6
#: The factors that scores are multiplied with, which are inverse temperatures.
SHARPNESS = np.geomspace(0.3, 60.0, 28)
#: Where the search for the share of wrong labels begins and ends, and how many steps it has.
FIRST_SHARE, MOST_SHARE, STEPS = 0.05, 0.25, 30
#: Noise is believed if it raises the logarithm of the likelihood of all labels by this (p = 0.005 in a
#: likelihood ratio test).
LEAST_EVIDENCE = 4.0
#: Keeps logarithms and quotients finite.
TINY = 1e-300


@dataclass(frozen=True)
class Suspects:
    """The pictures whose labels are doubted most, the most suspicious first.

    named: the first so many look wrong. The others are only ranked: there is no evidence that a label is wrong.
    rows: int64 (n,), of the sample. likely: int64 (n,), the class that each seems to show. wrong: float64 (n,), how
    likely the label is wrong. of_label, of_likely: float64 (n,), the probabilities of the label and the likely class.
    """

    rows: Rows
    likely: Rows
    wrong: Doubles
    of_label: Doubles
    of_likely: Doubles
    named: int = 0


@dataclass(frozen=True)
class Noise:
    """sharpness: what scores are multiplied with to be logits. share: of the labels, how many are wrong."""

    sharpness: float
    share: float

    @classmethod
    def fitted(cls, scores: Floats, given: Rows) -> Noise:
        """The noise that makes the given labels int64 (n,) most likely. scores: float32 (n, labels)."""
        labels = scores.shape[1]
        without, noisy = [], []
        for sharpness in SHARPNESS.tolist():
            of_label = probabilities_of(scores, sharpness)[np.arange(len(given)), given]
            share = FIRST_SHARE
            for _ in range(STEPS):  # expectation maximisation
                share = min(MOST_SHARE, float(_wrong(of_label, share, labels).mean()))
            likelihood = (1 - share) * of_label + share * (1 - of_label) / (labels - 1)
            without.append((float(np.log(of_label + TINY).sum()), cls(sharpness, 0.0)))
            noisy.append((float(np.log(likelihood + TINY).sum()), cls(sharpness, share)))
        (least, clean), (most, found) = (max(tried, key=lambda one: one[0]) for tried in (without, noisy))
        return found if most - least > LEAST_EVIDENCE else clean


def label_errors(sample: Sample, scores: Floats) -> Suspects:
    """Rank the pictures whose labels the classifier doubts, and name those that look wrong.

    scores: float32 (n, labels), see quick_classifier.out_of_fold.
    """
    counts, labels = np.bincount(sample.classes), sample.labels
    judged = np.flatnonzero((sample.folds >= 0) & (counts[sample.classes] >= LEAST_OF_LABEL))
    if not len(judged) or labels < 2:
        none = np.zeros(0)
        return Suspects(judged[:0], judged[:0], none, none, none)
    scores, given = scores[judged], sample.classes[judged]
    noise = Noise.fitted(scores, given)
    probabilities = probabilities_of(scores, noise.sharpness)
    of_label, likely = probabilities[np.arange(len(given)), given], probabilities.argmax(axis=1)
    wrong = _wrong(of_label, noise.share, labels)
    order = np.argsort(of_label, kind="stable")  # which is the order of `wrong`, also where no noise was found
    doubted = order[(likely != given)[order]]
    named = int((wrong[doubted] > NAMED_ABOVE).sum())
    top = doubted[: max(named, round(RANKED_SHARE * len(judged)))]
    return Suspects(judged[top], likely[top], wrong[top], of_label[top], probabilities.max(axis=1)[top], named)


def probabilities_of(scores: Floats, sharpness: float) -> Doubles:
    """float64 (n, labels): the softmax of the scores, after they are multiplied with the sharpness."""
    logits = sharpness * scores.astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Doubles = exponentials / exponentials.sum(axis=1, keepdims=True)
    return found


def _wrong(of_label: Doubles, share: float, labels: int) -> Doubles:
    """How likely each label is wrong, from its probability without noise, and the share of wrong labels."""
    swapped = share * (1 - of_label) / (labels - 1)
    wrong: Doubles = swapped / (swapped + (1 - share) * of_label + TINY)
    return wrong
