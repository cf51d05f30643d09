"""What a folder's last classifier was trained on, so that the next one can continue from it after a few new photos.

    projectDir/.tfmodel/last/classification.checkpoint

A training continues only if labels and options are those of the last training and every picture that trained it is
still there under the same label. The pictures that were held out then stay held out (see gate.py). The weights know
nothing of them, so they may have been corrected or taken away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from protocol.bounds import TaskId
from protocol.project_layout import LAST
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.manifest import Sha256

#: With a larger share of new pictures, the training starts from the beginning.
MAX_NEW_SHARE = 0.2
_NAME = "classification"


class _Facts(msgspec.Struct, frozen=True):
    """The facts of the checkpoint. terms: JSON. The other fields: see LastTraining."""

    task_id: TaskId
    terms: str
    classes: dict[Sha256, Annotated[int, Meta(ge=0)]]
    held_out: list[Sha256]


@dataclass(frozen=True)
class LastTraining:
    """The last training of a folder.

    classes: the label index of each picture, by the hash of its file. held_out: the hashes of the held-out pictures.
    weights: all those of the classifier that a training changes.
    """

    task_id: str
    classes: Mapping[str, int]
    held_out: frozenset[str]
    weights: list[np.ndarray]

    @property
    def trained(self) -> frozenset[str]:
        """The hashes of the pictures that the weights have learned from."""
        return frozenset(self.classes.keys() - self.held_out)


def last_training(project: ProjectFolder) -> Checkpoints:
    """The place of a folder's last training."""
    return Checkpoints(project, LAST)


def remember(project: ProjectFolder, terms: Mapping[str, Any], training: LastTraining) -> None:
    """Store a finished training. terms: JSON values; a later training with other terms does not continue from it."""
    facts = _Facts(training.task_id, _text(terms), dict(training.classes), sorted(training.held_out))
    last_training(project).save(_NAME, facts, training.weights)


def recall(
    project: ProjectFolder,
    terms: Mapping[str, Any],
    contents: Sequence[str],
    classes: np.ndarray,
    like: Sequence[np.ndarray],
) -> LastTraining | None:
    """The training to continue from; None if there is none, or if more has changed than a few new pictures.

    contents: the hash of each picture's file. classes: the label index of each picture. like: weights of the types and
    shapes that the classifier takes.
    """
    loaded = last_training(project).load(_NAME, _Facts, like)
    if loaded is None or loaded[0].terms != _text(terms):
        return None
    facts, weights = loaded
    now = dict(zip(contents, classes.tolist(), strict=True))
    new = len(now.keys() - facts.classes.keys())
    trained = facts.classes.keys() - set(facts.held_out)
    changed = any(now.get(content) != facts.classes[content] for content in trained)
    if changed or new > MAX_NEW_SHARE * len(now) or not _can_be_split(facts, contents, classes):
        return None
    return LastTraining(facts.task_id, facts.classes, frozenset(facts.held_out), weights)


def _can_be_split(facts: _Facts, contents: Sequence[str], classes: np.ndarray) -> bool:
    """Whether the stored split leaves pictures to train on in each class, and some to score.

    Every split of ours does, but somebody else may have written the file.
    """
    held_out = set(facts.held_out)
    labels_of: dict[str, set[int]] = {}
    for content, label in zip(contents, classes.tolist(), strict=True):
        labels_of.setdefault(content, set()).add(label)
    trained = {label for content, label in facts.classes.items() if content not in held_out}
    can_score = any(len(labels_of[content]) == 1 for content in held_out & labels_of.keys())
    return held_out <= facts.classes.keys() and can_score and trained == set(facts.classes.values())


def _text(terms: Mapping[str, Any]) -> str:
    return json.dumps(terms, sort_keys=True)
