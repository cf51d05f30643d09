"""Project folders for tests: opened as the worker opens them, and what it has left there read in a plain way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protocol.options import SegmentationOptions, TrainingOptions
from tests.sample_tasks import hex_id
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, Reporter, SilentReporter
from trainer_worker.project.checkpoints import Checkpoints
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.retention import checkpoints_of
from trainer_worker.project.sealed_json import sealed_text


def open_project(path: Path) -> ProjectFolder:
    """The folder, made where there is none."""
    path.mkdir(parents=True, exist_ok=True)
    return ProjectFolder.open(path)


def checkpoints_in(path: Path) -> Checkpoints:
    """Of one task, in a project folder at that path."""
    return checkpoints_of(open_project(path), hex_id("t1"))


def attempt_in(path: Path, options: TrainingOptions, reporter: Reporter | None = None) -> Attempt:
    """The first attempt at one task, in a project folder at that path. Its checkpoints are those of checkpoints_in."""
    train_type = "segmentation" if isinstance(options, SegmentationOptions) else "classification"
    job = Job(hex_id("t1"), 1, open_project(path), train_type, options)
    return Attempt(job, reporter or SilentReporter(), path / "cache", 2)


def facts_of(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint's file says beside its arrays."""
    content = checkpoint.read_bytes()
    facts: dict[str, Any] = json.loads(content[8 : 8 + int.from_bytes(content[:8])])
    return facts


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """With the checksum that fits, unless the manifest has numbers that have none."""
    try:
        text = sealed_text(manifest)
    except (OverflowError, ValueError):
        text = json.dumps(manifest)
    (folder / "manifest.json").write_text(text)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest in a model's folder; None where there is none."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest
