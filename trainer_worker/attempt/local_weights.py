"""Weights that the operator has put on this machine, as a task found them when it began."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from protocol.errors import TrainingError
from trainer_worker.pictures.contents import sha256_of_path
from trainer_worker.project.origin import Tell, nothing


@dataclass(frozen=True)
class LocalWeights:
    """path: a weights file, or the folder of a network of the operator's own.

    sha256: of the file, or of all files of the folder. It is computed once for each task, and all that the task keeps
    (features, checkpoints, the model's fingerprint) names the weights by it. The operator may exchange the weights
    during the task, so `refuse_if_changed` is called whenever they have been loaded.
    tell: called for each part that is hashed, in any thread. An exception from it ends the hashing, which takes seconds
    for each gigabyte. It must hold nothing large, because backbones are kept from task to task.
    """

    path: Path
    sha256: str
    tell: Tell = field(default=nothing, compare=False, repr=False)

    @classmethod
    def at(cls, path: Path, tell: Tell = nothing) -> LocalWeights:
        """The weights as they are now. Raises TrainingError unsupported_option if they can't be read."""
        return cls(path, _sha256(path, tell), tell)

    def refuse_if_changed(self) -> None:
        """Raise TrainingError unsupported_option if the weights have changed since, or what `tell` raises.

        Call it after loading them.
        """
        if _sha256(self.path, self.tell) != self.sha256:
            raise TrainingError(
                "unsupported_option",
                f"{self.path} has changed since the task began, so the task could mix features of two networks; post "
                "it again.",
            )


def _sha256(path: Path, tell: Tell) -> str:
    try:
        return sha256_of_path(path, lambda _: tell())
    except OSError as error:
        raise TrainingError(
            "unsupported_option",
            f"{path} can't be read: {error}. Give the user of the worker the right to read it and all that lies in it; "
            "or post backbone=auto.",
        ) from error
