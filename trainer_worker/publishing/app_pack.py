"""app_pack.zip: all that the builder of an app needs, beside the finished model.

    model.tflite  labels.txt  input_spec.json  MODEL_CARD.md
    samples/      three held-out pictures as the model gets them, and what it says of them: expected.json
    android/ ios/ web/ python/     snippets; python/predict.py --check holds the model against the samples

Nothing that goes wrong here costs the model: it becomes a warning in the manifest.
"""

from __future__ import annotations

import datetime
import io
import json
import logging
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from protocol.text import as_utf8
from trainer_worker.exporting.metadata import describe_tflite, tensor_names
from trainer_worker.pictures.images import PictureReader, Pixels, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.model_files import APP_PACK, label_lines
from trainer_worker.publishing.model_card import model_card

SAMPLES = 3
SNIPPETS = Path(__file__).with_name("snippets")
SNIPPET_FILES = {
    "classification": ("android/Classifier.kt", "ios/Classifier.swift", "web/classifier.mjs"),
    "segmentation": ("android/Segmenter.kt", "ios/Segmenter.swift", "web/segmenter.mjs"),
}
SHARED_SNIPPET_FILES = ("android/ModelInput.kt", "ios/ModelInput.swift", "web/input.mjs", "python/predict.py")

#: Pictures uint8 (n, S, S, 3) to outputs float32 (n, ...), as of scoring.load_predictor.
Predictor = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]

log = logging.getLogger(__name__)


def label_model(model: Path, train_type: str, side_px: int, labels: Sequence[str]) -> list[str]:
    """Write metadata and labels into the .tflite file; returns warnings: one if that failed and the file is as it was.

    Before the exports are checked, so that the file which is published is the one that was checked.
    """
    content = model.read_bytes()
    try:
        described = describe_tflite(content, train_type, side_px, label_lines(labels))
    except Exception as error:
        log.warning("action=model.no_metadata file=%s", model, exc_info=True)
        return [f"model.tflite has no metadata and labels inside ({type(error).__name__}: {error})."]
    model.write_bytes(described)
    return []


def add_app_pack(
    folder: Path,
    project_dir: Path,
    manifest: dict[str, Any],
    metrics: dict[str, Any],
    load_tflite: Callable[[], Predictor],
    made_on: datetime.date | None = None,
) -> None:
    """Write app_pack.zip into the model's folder, or add to the manifest's warnings why there is none.

    folder: holds model.tflite. manifest, metrics: what the trainer will publish.
    made_on: today's date (UTC) if not given. The same arguments give the same bytes.
    """
    target = folder / APP_PACK
    try:
        date = made_on or datetime.datetime.now(datetime.UTC).date()
        _write_zip(target, _contents(folder, project_dir, manifest, metrics, load_tflite(), date))
    except Exception as error:
        log.warning("action=model.no_app_pack task=%s", manifest.get("task_id"), exc_info=True)
        target.unlink(missing_ok=True)
        manifest["warnings"].append(f"There is no {APP_PACK} ({type(error).__name__}: {error}); the model is whole.")


def _contents(
    folder: Path,
    project_dir: Path,
    manifest: dict[str, Any],
    metrics: dict[str, Any],
    predict: Predictor,
    date: datetime.date,
) -> dict[str, bytes]:
    side_px = manifest["input"]["shape"][1]
    picked = pick_samples(manifest["train_type"], metrics["held_out"])
    reader = PictureReader(UserFiles(project_dir))
    pictures = np.stack([read_rgb(reader, project_dir / entry["file"], (side_px, side_px)) for entry in picked])
    model = (folder / "model.tflite").read_bytes()
    files = {
        "model.tflite": model,
        "labels.txt": label_lines(manifest["labels"]).encode(),
        "input_spec.json": _json(_input_spec(manifest, tensor_names(model))),
        "MODEL_CARD.md": as_utf8(model_card(manifest, metrics, picked, date)).encode(),
    }
    return files | _samples(manifest, picked, pictures, predict(pictures)) | _snippets(manifest)


def pick_samples(train_type: str, held_out: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Up to three of the held-out pictures' entries in metrics.json.

    Classification: the surest of the wrong ones (if none is wrong, the least sure), then the surest right ones, each
    of another class where there are so many. Segmentation: the worst, the middle one and the best by their Dice.
    """
    if train_type == "segmentation":
        ordered = sorted(held_out, key=lambda entry: (entry["dice"], entry["file"]))
        return [ordered[index] for index in sorted({0, len(ordered) // 2, len(ordered) - 1})]
    rest = sorted(held_out, key=lambda entry: (-entry["probability"], entry["file"]))
    wrong = [entry for entry in rest if entry["truth"] != entry["predicted"]]
    picked = [wrong[0] if wrong else rest[-1]]
    rest.remove(picked[0])
    while rest and len(picked) < SAMPLES:
        shown = {entry["truth"] for entry in picked}
        picked.append(min(rest, key=lambda entry: (entry["truth"] in shown, entry["truth"] != entry["predicted"])))
        rest.remove(picked[-1])
    return picked


def _samples(
    manifest: dict[str, Any], picked: Sequence[dict[str, Any]], pictures: Pixels, outputs: npt.NDArray[Any]
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    expected: list[dict[str, Any]] = []
    labels = label_lines(manifest["labels"]).splitlines()
    for number, (entry, picture, output) in enumerate(zip(picked, pictures, outputs, strict=True), start=1):
        name = f"samples/{number}.png"
        files[name] = _png(picture)
        says: dict[str, Any] = {"picture": name, "file": as_utf8(entry["file"])}
        if manifest["train_type"] == "segmentation":
            says["mask"] = f"samples/{number}_mask.png"
            says["meanProbability"] = round(float(output.mean()), 4)
            files[says["mask"]] = _png((output[..., 0] > manifest["threshold"]).astype(np.uint8) * 255)
        else:
            says["truth"] = labels[manifest["labels"].index(entry["truth"])]
            says["label"] = labels[int(output.argmax())]
            says["probabilities"] = [round(float(value), 4) for value in output]
        expected.append(says)
    files["samples/expected.json"] = _json(expected)
    return files


def _input_spec(manifest: dict[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    """What a program must know to feed the model; the rules are those of pictures/images.py."""
    side_px, shape = manifest["input"]["shape"][1], manifest["output"]["shape"]
    output: dict[str, Any] = {
        "name": names[1],
        "shape": [1, *shape[1:]],
        "dtype": manifest["output"]["dtype"],
        "meaning": manifest["output"]["meaning"],
        "labels": label_lines(manifest["labels"]).splitlines(),
    }
    if "threshold" in manifest:
        output["threshold"] = manifest["threshold"]
        output["note"] = "one number a pixel: above the threshold it is labels[1], else labels[0]"
    return {
        "model": "model.tflite",
        "trainType": manifest["train_type"],
        "input": {
            "name": names[0],
            "shape": [1, side_px, side_px, 3],
            "layout": "batch, row, column, channel",
            "dtype": manifest["input"]["dtype"],
            "channels": manifest["input"]["channels"],
            "range": manifest["input"]["range"],
            "normalization": "none; it is inside of the model",
        },
        "picture": {
            "orientation": "upright: the EXIF orientation is applied",
            "transparency": "laid on white",
            "fit": "squashed: the whole picture to the square, without cropping, its sides' ratio is not kept",
            "filter": "bilinear with antialiasing, as Pillow's BILINEAR: every pixel of a large photo counts. A single "
            "bilinear step without it, as phones do, blurs and skips; halve the photo until it is near the size first",
            "jpeg": "photos much larger than the input were decoded at a half, quarter or eighth of their size, which "
            "changes pixels by less than one of 255 on average",
        },
        "output": output,
    }


def _snippets(manifest: dict[str, Any]) -> dict[str, bytes]:
    values = {
        "SIDE": str(manifest["input"]["shape"][1]),
        "LABELS": str(len(manifest["labels"])),
        "THRESHOLD": str(manifest.get("threshold", "")),
    }
    names = (*SNIPPET_FILES[manifest["train_type"]], *SHARED_SNIPPET_FILES)
    texts = {name: (SNIPPETS / name).read_text("utf-8") for name in names}
    blank = re.compile(rf"__({'|'.join(values)})__")
    return {name: blank.sub(lambda found: values[found[1]], text).encode() for name, text in texts.items()}


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_zip(path: Path, files: dict[str, bytes]) -> None:
    """Sorted and uncompressed: weights hardly shrink, and packing them would take half a second."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # which always has the time 1980-01-01
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
