"""Project folders with a published model that answers at once, and pictures as they are sent."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from protocol.artifact import Artifact
from protocol.prediction import ModelFile, RuntimeLimits, SentPicture
from tests.sample_tasks import hex_id, make_spec

RUNTIME = (sys.executable, "-m", "trainer_worker.prediction")
MEGABYTE = 1024**2


def published(root: Path, content: bytes, name: str = "model.tflite", task: object = 1, **spec: Any) -> ModelFile:
    """A project below `root` with a model folder of that task. spec: see make_spec."""
    task_id = hex_id(task)
    project = root / f"project-{task}"
    folder = project / "models" / task_id
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    artifact = Artifact(name, len(content), hashlib.sha256(content).hexdigest())
    return ModelFile(make_spec(task_id, project_path=str(project.resolve()), **spec), artifact)


def file_of(model: ModelFile) -> Path:
    return Path(model.spec.project_path) / "models" / model.spec.task_id / model.artifact.name


def limits(root: Path, picture_s: float = 60.0, models_mb: int = 64, thumbnail_s: float = 60.0) -> RuntimeLimits:
    return RuntimeLimits((str(root.resolve()),), "", models_mb * MEGABYTE, 1, picture_s, thumbnail_s)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (40, 30), name: str = "plain.png") -> SentPicture:
    """A picture of one colour."""
    return sent(Image.new("RGB", size, colour), name)


def sent(image: Image.Image, name: str = "picture.png", **options: Any) -> SentPicture:
    file = io.BytesIO()
    image.save(file, Path(name).suffix.removeprefix(".").replace("jpg", "jpeg"), **options)
    return SentPicture(name, file.getvalue())
