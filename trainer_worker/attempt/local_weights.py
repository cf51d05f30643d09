"""Weights that the operator has put on this machine, as a task found them when it began."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import TrainingError
from trainer_worker.pictures.contents import sha256_of_path


@dataclass(frozen=True)
class LocalWeights:
    """path: a weights file, or the folder of a network of the operator's own.

    sha256: of the file, or of all files of the folder. It is computed once for each task, and all that the task keeps
    (features, checkpoints, the model's fingerprint) names the weights by it. The operator may exchange the weights
    during the task, so `refuse_if_changed` is called whenever they have been loaded.
    """

    path: Path
    sha256: str

    @classmethod
    def at(cls, path: Path, tell: Callable[[], None] = lambda: None) -> LocalWeights:
        """The weights as they are now. Raises TrainingError unsupported_option if they can't be read.

        tell: called for each part that is hashed. An exception from it ends the hashing, which takes seconds for each
        gigabyte.
        """
        return cls(path, _sha256(path, lambda _: tell()))

    def refuse_if_changed(self) -> None:
        """Raise TrainingError unsupported_option if the weights have changed since. Call it after loading them."""
        if _sha256(self.path) != self.sha256:
            raise TrainingError(
                "unsupported_option",
                f"{self.path} has changed since the task began, so the task could mix features of two networks; post "
                "it again.",
            )


def _sha256(path: Path, on_chunk: Callable[[bytes], object] = lambda chunk: None) -> str:
    try:
        return sha256_of_path(path, on_chunk)
    except OSError as error:
        raise TrainingError(
            "unsupported_option",
            f"{path} can't be read: {error}. Give the user of the worker the right to read it and all that lies in it; "
            "or post backbone=auto.",
        ) from error
