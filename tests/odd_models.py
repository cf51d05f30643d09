"""A finished classifier of two thousand classes, some of whose names are what no one expects of a name."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from protocol.task import Trained
from tests import finished_records as records
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.json_text import json_text
from trainer_worker.project.model_files import METRICS
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import manifest_of, trained

SCRIPT = '<script>alert("1")</script>'
LONG = "x" * 200
TURNED = "gpj.\u202eexe"
CLASSES = 2000
LABELS = (SCRIPT, LONG, TURNED, *(f"class {number:04}" for number in range(CLASSES - 3)))
SIDE_PX = 32
#: (truth, answer) by their numbers, and how many photos. All other photos are right.
MIXED_UP = ((0, 1, 5), (1, 0, 4), (2, 7, 2), (1500, 1501, 1))
RIGHT = (0, 1, 2, 7)
SURE = 0.8


def lay_odd_classifier(project: Path, task_id: str) -> Trained:
    """Publish it. Its photos are small, and only its records are real."""
    answered = [*(pair for *pair, count in MIXED_UP for _ in range(count)), *((row, row) for row in RIGHT)]
    files = [f"images/{number:03} <b>{number}</b>.png" for number in range(len(answered))]
    (project / "images").mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        path = project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE_PX, SIDE_PX), (10 * number % 256, 90, 160)).save(path)
    truth = np.array([true for true, _ in answered])
    outputs = np.full((len(answered), CLASSES), (1 - SURE) / (CLASSES - 1))
    outputs[np.arange(len(answered)), [answer for _, answer in answered]] = SURE
    contents = [hashlib.sha256((project / file).read_bytes()).hexdigest() for file in files]
    answers = records.Answers(LABELS, files, contents, truth, outputs)
    folder = records.Folder(dict.fromkeys(LABELS, 1), CLASSES, len(files))
    record = records.classifier(answers, folder, {"tflite": SIDE_PX}, None)
    return publish_record(project, task_id, record)


def publish_record(project: Path, task_id: str, record: records.Record) -> Trained:
    """Publish a model with these records; its one exported file answers nothing."""
    with (
        ProjectFolder.open(project) as opened,
        tempfile.TemporaryDirectory() as name,
        ModelFolder(opened, task_id, 1) as folder,
    ):
        work = Path(name)
        (work / "model.tflite").write_bytes(b"no model")
        (work / METRICS).write_text(json_text(record.metrics), "utf-8")
        folder.add_all(work)
        folder.publish({**record.manifest, "task_id": task_id, "model_file": "model.tflite"})
        manifest = manifest_of(opened, task_id)
        assert manifest is not None
        return trained(opened, manifest)
