"""After a few more photos: what the folder's last classifier was trained on, so that the next one goes on from it.

    projectDir/.tfmodel/last/classification.npz     (no TensorFlow here)

Going on is right only if nothing was taken back. It is offered when labels and options are those of the last training
and every picture of it is still there under the same label; the pictures that scored it keep doing only that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer_worker.checkpoints import Checkpoints

#: Beyond this share of new pictures a training from the start is worth its time.
MAX_NEW_SHARE = 0.2
_NAME = "classification"


@dataclass(frozen=True)
class LastTraining:
    """classes: label index by content; held_out: the contents that scored it; weights: of the classifier's tail."""

    task_id: str
    classes: Mapping[str, int]
    held_out: frozenset[str]
    weights: list[np.ndarray]

    def sides(self, contents: Sequence[str]) -> np.ndarray:
        """For each picture, int8: 1 it scored the last model, -1 it trained it, 0 it is new."""
        sides = [(1 if c in self.held_out else -1) if c in self.classes else 0 for c in contents]
        return np.array(sides, dtype=np.int8)


def _folder(project_dir: Path) -> Checkpoints:
    return Checkpoints(project_dir / ".tfmodel" / "last")


def remember(
    project_dir: Path,
    task_id: str,
    terms: Mapping[str, Any],
    contents: Sequence[str],
    classes: np.ndarray,
    held_out: np.ndarray,
    weights: Sequence[np.ndarray],
) -> None:
    """Keep what a finished training leaves. terms: plain values that must be the same for going on."""
    facts = {
        "task_id": task_id,
        "terms": dict(terms),
        "classes": dict(zip(contents, classes.tolist(), strict=True)),
        "held_out": sorted({contents[row] for row in held_out}),
    }
    _folder(project_dir).save(_NAME, facts, weights)


def recall(
    project_dir: Path, terms: Mapping[str, Any], contents: Sequence[str], classes: np.ndarray
) -> LastTraining | None:
    """The training to go on from; None where there is none, or the project differs by more than a few new pictures."""
    saved = _folder(project_dir).load(_NAME)
    if saved is None or saved.facts.get("terms") != dict(terms):
        return None
    before: dict[str, int] = saved.facts["classes"]
    now = dict(zip(contents, classes.tolist(), strict=True))
    new = len(now.keys() - before.keys())
    if new > MAX_NEW_SHARE * len(now) or any(now.get(content) != label for content, label in before.items()):
        return None
    return LastTraining(saved.facts["task_id"], before, frozenset(saved.facts["held_out"]), saved.arrays)
