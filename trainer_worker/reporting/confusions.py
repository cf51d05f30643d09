"""The section that shows which classes are taken for which others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer_worker.reporting.blocks import Block, Heat, Items, Prose, Section
from trainer_worker.reporting.figures import count, counted

#: A matrix with more classes is no longer readable, so it has only those that are confused most.
MOST_SHOWN = 12
#: How many confusions are also said in words.
MOST_SAID = 5


def confusions(labels: Sequence[str], matrix: Any, unit: str, in_percent: bool = False) -> Section:
    """The section on confusions.

    matrix: counts (labels, labels), rows the truth, columns the answers. unit: what is counted, in the plural.
    """
    counts = np.asarray(matrix, np.int64)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    shown = _shown(wrong)
    blocks: list[Block] = []
    if not wrong.any():
        blocks.append(Prose(f"None of the {count(counts.sum())} {unit} was taken for another class.", "good"))
    else:
        blocks.append(Items("Most often", tuple(_in_words(labels, counts, wrong, unit))))
    if len(shown):
        blocks.append(_heat(labels, counts, shown, unit, in_percent))
    if len(shown) < len(labels):
        left_out = len(labels) - len(shown)
        without = int((wrong.sum(axis=0) + wrong.sum(axis=1) == 0).sum())
        text = f"{counted(left_out, 'class', 'classes')} of {count(len(labels))} are left out of the table"
        more = f"; {count(without)} of them were never confused" if without else ""
        blocks.append(Prose(f"{text}{more}. metrics.json has the whole matrix.", "note"))
    return Section("confusions", "What it mixes up", tuple(blocks))


def _shown(wrong: Any) -> list[int]:
    """The classes of the matrix, in their order: all, or those of the most frequent confusions."""
    if len(wrong) <= MOST_SHOWN:
        return list(range(len(wrong)))
    chosen: set[int] = set()
    for pair in _pairs(wrong):
        if len(chosen) == MOST_SHOWN:
            break
        if len(chosen.union(pair)) <= MOST_SHOWN:
            chosen.update(pair)
    return sorted(chosen)


def _pairs(wrong: Any) -> list[tuple[int, int]]:
    """(truth, answer) of all that was confused, the most frequent first."""
    truth, answer = np.nonzero(wrong)
    order = np.lexsort((answer, truth, -wrong[truth, answer]))
    return list(zip(truth[order].tolist(), answer[order].tolist(), strict=True))


def _heat(labels: Sequence[str], counts: Any, shown: list[int], unit: str, in_percent: bool) -> Heat:
    part = counts[np.ix_(shown, shown)]
    caption = f"Rows say what the {unit} are, columns what the model took them for. The diagonal is right."
    totals = tuple(counts[shown].sum(axis=1).tolist())
    cells = tuple(tuple(row) for row in part.tolist())
    return Heat(caption, tuple(labels[index] for index in shown), cells, totals, unit, in_percent)


def _in_words(labels: Sequence[str], counts: Any, wrong: Any, unit: str) -> list[str]:
    return [
        f"{labels[i]} taken for {labels[j]}: {count(wrong[i, j])} of {count(counts[i].sum())} {unit}."
        for i, j in _pairs(wrong)[:MOST_SAID]
    ]
