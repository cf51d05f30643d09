"""Makes app_pack.zip, which has everything that the builder of an app needs.

    model.tflite  labels.txt  input_spec.json  MODEL_CARD.md
    samples/      three held-out pictures as the model gets them, and expected.json with the model's answers
    android/ ios/ web/ python/     snippets; python/predict.py --check compares the model's answers with the samples

If the pack can't be made, the model is published without it, and the manifest says so in a warning.
"""

from __future__ import annotations

import datetime
import io
import json
import logging
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from protocol.text import as_utf8
from trainer_worker.exporting.metadata import describe_tflite, output_shape, tensor_names
from trainer_worker.exporting.model_use import ModelUse
from trainer_worker.pictures.grey_scale import scale_of
from trainer_worker.pictures.images import PictureReader, Pixels, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.model_files import APP_PACK, FILES, label_lines
from trainer_worker.publishing.kind import Entry, Kind, Presentation, Snippets
from trainer_worker.publishing.model_card import model_card

#: Snippets for every trainType. Each kind adds its own.
SNIPPETS = Snippets(
    Path(__file__).with_name("snippets"),
    ("android/ModelInput.kt", "ios/ModelInput.swift", "web/input.mjs", "python/predict.py"),
)

#: From pictures uint8 (n, S, S, 3) to outputs float32 (n, ...); made by scoring.load_predictor.
Predictor = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedModel:
    """A model that is about to be published.

    folder: holds model.tflite. manifest, metrics: what the trainer will publish. pictures: the user's files.
    """

    kind: Kind
    folder: Path
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    pictures: UserFiles

    @property
    def presentation(self) -> Presentation:
        return self.kind.presentation(self.manifest["output"]["shape"][-1])


def label_model(model: Path, kind: Kind, use: ModelUse) -> list[str]:
    """Write metadata, labels and the use of the model into the .tflite file. If that fails, the file is unchanged and a
    warning is returned.

    To be called before the exports are checked, so that the checked file is the one that is published.
    """
    content = model.read_bytes()
    try:
        description = kind.presentation(output_shape(content)[-1]).description
        described = describe_tflite(content, description, use)
    except Exception as error:
        log.warning("action=model.no_metadata file=%s", model, exc_info=True)
        return [
            f"{model.name} has no metadata and labels inside ({type(error).__name__}: {error}), so the server can't "
            "predict with it."
        ]
    model.write_bytes(described)
    return []


def add_app_pack(
    model: FinishedModel, load_tflite: Callable[[], Predictor], made_on: datetime.date | None = None
) -> None:
    """Write app_pack.zip into the model's folder, or add a warning to the manifest that says why there is none.

    made_on: by default today's date (UTC). The same arguments give the same bytes.
    """
    target, manifest = model.folder / APP_PACK, model.manifest
    try:
        date = made_on or datetime.datetime.now(datetime.UTC).date()
        _write_zip(target, _contents(model, load_tflite(), date))
    except Exception as error:
        log.warning("action=model.no_app_pack task=%s", manifest.get("task_id"), exc_info=True)
        target.unlink(missing_ok=True)
        manifest["warnings"].append(f"There is no {APP_PACK} ({type(error).__name__}: {error}); the model is complete.")


def _contents(model: FinishedModel, predict: Predictor, date: datetime.date) -> dict[str, bytes]:
    manifest = model.manifest
    side_px = manifest["input"]["shape"][1]
    picked = model.presentation.samples.pick(model.metrics["held_out"])
    grey, folder = scale_of(manifest["input"]["grey_scale"]), model.pictures.project_dir
    reader = PictureReader(model.pictures, grey=grey)
    pictures = np.stack([read_rgb(reader, folder / entry["file"], (side_px, side_px)) for entry in picked])
    tflite = (model.folder / FILES["tflite"]).read_bytes()
    files = {
        "model.tflite": tflite,
        "labels.txt": label_lines(manifest["labels"]).encode(),
        "input_spec.json": _json(_input_spec(model, tensor_names(tflite))),
        "MODEL_CARD.md": as_utf8(model_card(model.presentation.card, manifest, model.metrics, picked, date)).encode(),
    }
    return files | _samples(model, picked, pictures, predict(pictures)) | _snippets(model)


def _samples(
    model: FinishedModel, picked: Sequence[Entry], pictures: Pixels, outputs: npt.NDArray[Any]
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    expected: list[dict[str, Any]] = []
    for number, (entry, picture, output) in enumerate(zip(picked, pictures, outputs, strict=True), start=1):
        answer = model.presentation.samples.answer(model.manifest, entry, output)
        names = {name: f"samples/{number}_{name}.png" for name in answer.images}
        files[f"samples/{number}.png"] = _png(picture)
        files |= {names[name]: _png(pixels) for name, pixels in answer.images.items()}
        picture_says = {"picture": f"samples/{number}.png", "file": as_utf8(entry["file"])}
        expected.append({**picture_says, **names, **answer.values})
    files["samples/expected.json"] = _json(expected)
    return files


def _input_spec(model: FinishedModel, names: tuple[str, str]) -> dict[str, Any]:
    """What a program must know to use the model. Of its input, the same as the manifest says."""
    manifest = model.manifest
    shape = manifest["output"]["shape"]
    output: dict[str, Any] = {
        "name": names[1],
        "shape": [1, *shape[1:]],
        "dtype": manifest["output"]["dtype"],
        "meaning": manifest["output"]["meaning"],
        "labels": label_lines(manifest["labels"]).splitlines(),
        **model.presentation.output_spec(manifest),
    }
    return {
        "model": "model.tflite",
        "trainType": manifest["train_type"],
        "input": {
            **manifest["input"],
            "name": names[0],
            "shape": [1, *manifest["input"]["shape"][1:]],
            "layout": "batch, row, column, channel",
        },
        "output": output,
    }


def _snippets(model: FinishedModel) -> dict[str, bytes]:
    manifest = model.manifest
    values = {
        "SIDE": str(manifest["input"]["shape"][1]),
        "LABELS": str(len(manifest["labels"])),
        "THRESHOLD": str(manifest.get("threshold", "")),
        "UNKNOWN": str(manifest.get("unknown", {}).get("threshold", "")),
    }
    texts = {
        name: (snippets.folder / name).read_text("utf-8")
        for snippets in (model.presentation.snippets, SNIPPETS)
        for name in snippets.names
    }
    blank = re.compile(rf"__({'|'.join(values)})__")
    return {name: blank.sub(lambda found: values[found[1]], text).encode() for name, text in texts.items()}


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_zip(path: Path, files: dict[str, bytes]) -> None:
    """Write the files sorted by name, and uncompressed because weights hardly shrink."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # which always has the time 1980-01-01
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
