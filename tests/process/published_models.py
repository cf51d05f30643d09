"""What a website finds in a project's folder after a task: files that match their manifest, and a model that works."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np

from tests.process.service_under_test import PATIENCE_S, REPOSITORY
from tests.process.small_projects import digit_pictures

FILES = {"model.tflite", "labels.txt", "metrics.json", "held_out.json", "app_pack.zip", "report.html"}
#: Those of the other formats that a task writes by default.
OTHER_FORMATS = frozenset({"model.keras", "saved_model/saved_model.pb"})


def check_published(project: Path, task: dict[str, Any], others: Set[str] = OTHER_FORMATS) -> Path:
    """Asserts that the task's model is complete, the newest and the only trace it has left; returns its folder.

    others: files of the formats that it was asked for beside TFLite.
    """
    models = project / "models"
    folder = models / str(task["taskId"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["attempt"] == task["attempt"]
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {file["path"] for file in manifest["files"]} == found - {"manifest.json"}
    assert found >= FILES | others
    assert not found & (OTHER_FORMATS - others)
    for file in manifest["files"]:
        content = (folder / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size_bytes"], file["sha256"]), file
    assert (models / "latest").resolve() == folder.resolve()
    assert (task["promoted"], task["comparison"]) == (manifest["promoted"], manifest["comparison"])
    assert Path(task["modelPath"]) == folder.resolve() / "model.tflite"
    assert not [path.name for path in models.iterdir() if path.name.startswith(".")]
    return folder


def accuracy_on_unseen_digits(folder: Path, scratch: Path, seen: int, count: int = 20) -> float:
    """Share of digits that the task never saw and that the exported TFLite file names right."""
    labels = (folder / "labels.txt").read_text().split()
    pictures = [picture for label in labels for picture in digit_pictures(int(label), count, skip=seen)]
    truth = np.repeat(np.arange(len(labels)), count)
    outputs = tflite_outputs(folder / "model.tflite", np.stack([np.asarray(p) for p in pictures]), scratch)
    return float((outputs.argmax(axis=1) == truth).mean())


def tflite_outputs(model: Path, pictures: Any, scratch: Path) -> Any:
    """pictures uint8 (n, S, S, 3) → outputs float (n, …), from a process of their own."""
    np.save(scratch / "pictures.npy", pictures)
    done = subprocess.run(
        [sys.executable, "-m", "tests.process.tflite_predictions", str(model), str(scratch / "pictures.npy")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout))
