"""From which folder a training continues: what has trained the weights must be there under the same label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from trainer_worker.project.continuation import LastTraining, recall, remember

TERMS = {"labels": ["cat", "dog"]}
WEIGHTS = [np.ones(3, np.float32)]
CONTENTS = [f"{number:064x}" for number in range(12)]
CLASSES = np.arange(12) % 2
HELD_OUT = frozenset(CONTENTS[:4])


@pytest.mark.parametrize(
    ("changes", "continues"),
    [
        ({}, True),
        ({4: None}, False),
        ({5: 0}, False),
        ({0: None}, True),
        ({1: 0, 2: 1}, True),
        (dict.fromkeys(range(4)), False),
        ({12: 0}, True),
        (dict.fromkeys(range(12, 16), 0), False),
    ],
    ids=[
        "same",
        "trained gone",
        "trained moved",
        "scored gone",
        "scored moved",
        "none scores",
        "a new one",
        "many new",
    ],
)
def test_it_continues_where_nothing_that_trained_was_taken_back(
    tmp_path: Path, changes: dict[int, int | None], continues: bool
) -> None:
    project = open_project(tmp_path)
    labels = dict(zip(CONTENTS, CLASSES.tolist(), strict=True))
    remember(project, TERMS, LastTraining(hex_id("t1"), labels, HELD_OUT, WEIGHTS))
    for number, label in changes.items():
        content = f"{number:064x}"
        labels.pop(content, None)
        if label is not None:
            labels[content] = label
    last = recall(project, TERMS, list(labels), np.array(list(labels.values())), WEIGHTS)
    assert (last is not None) == continues
    assert last is None or (last.task_id, last.held_out) == (hex_id("t1"), HELD_OUT)
