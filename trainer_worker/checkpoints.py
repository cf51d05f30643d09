"""What a training leaves on disk so that its next attempt goes on from there (no TensorFlow).

    projectDir/.tfmodel/tasks/<taskId>/<name>.npz

A checkpoint is complete or absent: written under a temporary name, synced, renamed. One that cannot be read is the
same as none. Everything below .tfmodel/ may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_FACTS = "facts"


@dataclass(frozen=True)
class Checkpoint:
    """facts: plain JSON values. arrays: in the order in which they were saved."""

    facts: dict[str, Any]
    arrays: list[np.ndarray]


def checkpoints_of(project_dir: Path, task_id: str) -> Checkpoints:
    """Those of one task, whichever attempt left them."""
    return Checkpoints(project_dir / ".tfmodel" / "tasks" / task_id)


class Checkpoints:
    """The checkpoints in one folder. A disk that takes none costs repeated work after a loss, never the training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, facts: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
        """Replace the checkpoint `name`."""
        temporary = self.folder / f".{name}.{os.getpid()}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                entries: dict[str, Any] = {f"a{i}": array for i, array in enumerate(arrays)}
                entries[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
                np.savez(file, **entries)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.folder / f"{name}.npz")
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def load(self, name: str) -> Checkpoint | None:
        """The checkpoint `name`, or None when there is none that can be read."""
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as file:
                facts = json.loads(file[_FACTS].tobytes())
                return Checkpoint(facts, [file[f"a{i}"] for i in range(len(file.files) - 1)])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def clear(self) -> None:
        """The task has ended: forget them all."""
        shutil.rmtree(self.folder, ignore_errors=True)
