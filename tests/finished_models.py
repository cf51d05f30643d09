"""Finished tasks with everything that a page shows of them, made in a second and without TensorFlow.

`lay_classifier` and `lay_segmenter` draw the photos of a project and publish a model there by the code that publishes
real ones: manifest.json, metrics.json, held_out.json, held_out_masks.json, report.html, app_pack.zip, .tflite files
that answer predictions, a log and the epochs. They return the `Trained` of the worker's result. `finish_task` has a
scripted worker send it, so that a real front-end with a real broker serves all of it:

    with Programs(folder) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = finish_task(programs, worker, lay_classifier)
        programs.get(f"/v1/tasks/{task_id}")

The task is posted into anna/flowers; other fields are given as in Programs.post (`trainType="segmentation"` for a
segmenter, whose project must be another folder, such as projectDir="anna/leaves"). A second call for the same project
is a second version of its model: give `functools.partial(lay_classifier, seed=2, compared=…)` for one with other
answers, and with what the gate said. Which photos are confused, doubted or copied: see DrawnPhotos.
"""

from __future__ import annotations

import datetime
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from protocol import messages as m
from protocol.comparison import Comparison
from protocol.epochs import EpochRecord
from protocol.events import iso
from protocol.task import Trained
from tests import finished_records as records
from tests.runnable_tflite import SIDE, colour_classifier, colour_segmenter
from tests.socket.predicting import run_next
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from trainer_worker.classification.kind import KIND as CLASSIFICATION
from trainer_worker.exporting.runtimes.tflite_models import load_content
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.held_out import HeldOutScores
from trainer_worker.project.json_text import json_text
from trainer_worker.project.model_files import FILES, HELD_OUT, LABELS, METRICS, label_lines
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import manifest_of, trained
from trainer_worker.project.task_log import Level, TaskLog
from trainer_worker.publishing.app_pack import FinishedModel, add_app_pack
from trainer_worker.publishing.kind import Kind
from trainer_worker.publishing.mask_file import add_masks
from trainer_worker.publishing.report_file import add_report
from trainer_worker.reporting.overlays import Overlay, pick
from trainer_worker.segmentation.decisions import decide
from trainer_worker.segmentation.kind import KIND as SEGMENTATION

FRUITS = ("apple", "pear", "plum")
PARTS = ("soil", "leaf", "stem")
#: What the models of tests/runnable_tflite.py tell apart: mostly red, mostly green, mostly blue.
COLOURS = ((215, 60, 50), (70, 190, 60), (80, 70, 200))
PHOTOS_OF_CLASS, HELD_OUT_OF_CLASS = 40, 20
LEAF_PHOTOS, HELD_OUT_LEAVES = 40, 8
PHOTO_SIZE = (320, 240)
#: Bytes that make the exported files as large as those of small networks.
EXTRA_BYTES = {"tflite": 400_000, "tflite_float16": 200_000, "tflite_int8": 100_000}
DAY = datetime.date(2026, 11, 29)

Lay = Callable[[Path, str], Trained]


def finish_task(programs: Programs, worker: ScriptedWorker, lay: Lay, **posted: Any) -> str:
    """Post a task, have the worker finish it with the model that `lay` publishes, and wait until it is done."""
    worker.heartbeat(ready=False)
    headers = posted.pop("headers", None)
    answer = programs.post(headers, **posted)
    assert answer.status == 200, answer
    task_id = str(answer.body["taskId"])
    start = run_next(worker)
    assert start.spec.task_id == task_id
    result = lay(Path(start.spec.project_path), task_id)
    worker.send(m.Result(task_id, start.attempt, trained=result))
    worker.receive(m.ResultAck)
    wait_until(lambda: programs.call("GET", f"/?taskId={task_id}", None, headers).body["state"] == "done", "its end")
    return task_id


def lay_classifier(project: Path, task_id: str, seed: int = 1, compared: Comparison | None = None) -> Trained:
    """Publish a classifier of FRUITS. seed: another one gives a model that errs on other photos."""
    photos = draw_photos(project)
    model = colour_classifier(labels=FRUITS, unknown_below=0.4)
    held_out = [photo for photo in photos.all if photo.held_out]
    outputs = _answers(project, model, [photo.file for photo in held_out]).astype(np.float64)
    outputs[seed - 1 :: 17] = outputs[seed - 1 :: 17][:, ::-1]  # some mistakes are of this model alone
    truth = np.array([FRUITS.index(photo.label) for photo in held_out])
    names = [photo.file for photo in held_out]
    contents = _hashes(project, names)
    answers = records.Answers(FRUITS, names, contents, truth, outputs)
    folder = records.Folder(
        dict.fromkeys(FRUITS, PHOTOS_OF_CLASS),
        len(photos.all),
        len(held_out),
        photos.copies,
        photos.skipped,
        photos.suspects,
    )
    files = {name: colour_classifier(extra, labels=FRUITS, unknown_below=0.4) for name, extra in EXTRA_BYTES.items()}
    record = records.classifier(answers, folder, {name: len(content) for name, content in files.items()}, compared)
    right = (outputs.argmax(axis=1) == truth).astype(float)
    labels = [photo.label for photo in held_out]
    scores = HeldOutScores.of("accuracy", contents, labels, right.tolist())
    return _published(project, task_id, _Model(CLASSIFICATION, record, files, scores))


def lay_segmenter(project: Path, task_id: str, compared: Comparison | None = None) -> Trained:
    """Publish a segmenter of PARTS: a model with a background and two classes."""
    held_out = draw_leaves(project)
    model = colour_segmenter(labels=PARTS)
    predicted = decide(_answers(project, model, held_out))
    truth = np.stack([_scaled_mask(project / name_of_mask(file)) for file in held_out])
    files = {name: colour_segmenter(labels=PARTS) for name in ("tflite", "tflite_float16")}
    sizes = {name: len(content) for name, content in files.items()}
    contents = dict(zip(held_out, _hashes(project, held_out), strict=True))
    record = records.segmenter(PARTS, contents, (truth, predicted), sizes, compared)
    dice = [entry["dice"] for entry in record.metrics["held_out"]]
    masks = [hashlib.sha256(mask.tobytes()).hexdigest() for mask in truth]
    scores = HeldOutScores.of("dice", list(contents.values()), masks, dice)
    squares = _squares(project, held_out)
    overlays = [
        Overlay(held_out[row], dice[row], squares[row], truth[row], predicted[row]).scaled(PHOTO_SIZE[::-1])
        for row in pick(dice)
    ]
    return _published(project, task_id, _Model(SEGMENTATION, record, files, scores, overlays))


# ---- photos ----


@dataclass(frozen=True)
class Photo:
    """file: as the project names it."""

    file: str
    label: str
    held_out: bool


@dataclass(frozen=True)
class DrawnPhotos:
    """Of the photos of each class every second one is held out; of those, every fifth has the colour of another class
    and is confused. Two photos that train are in the wrong folder, two are copies of others, three are a series, and
    one file is damaged."""

    all: Sequence[Photo]
    suspects: Sequence[dict[str, Any]]
    copies: Sequence[dict[str, Any]]
    skipped: Sequence[dict[str, str]]


def draw_photos(project: Path) -> DrawnPhotos:
    """Fruits of the colour of their class on a bright ground, in images/<class>/."""
    photos, rng = [], np.random.default_rng(7)
    for row, label in enumerate(FRUITS):
        (project / "images" / label).mkdir(parents=True, exist_ok=True)
        for number in range(PHOTOS_OF_CLASS):
            held_out = number % 2 == 1
            confused = number % 10 == 1 and number > 1
            wrong_folder = number == 4 and row < 2
            shown = (row + 1) % 3 if confused or wrong_folder else row
            photo = Photo(f"images/{label}/{number:03}.jpg", label, held_out)
            _fruit(rng, COLOURS[shown]).save(project / photo.file, quality=85)
            photos.append(photo)
    shutil.copy(project / "images/apple/010.jpg", project / "images/apple/012.jpg")
    shutil.copy(project / "images/pear/010.jpg", project / "images/pear/014.jpg")
    (project / "images" / "plum" / "broken.jpg").write_bytes(b"\xff\xd8 and no more")
    wrong = [("images/apple/004.jpg", "apple", "pear", True), ("images/pear/004.jpg", "pear", "plum", True)]
    doubted = [("images/plum/006.jpg", "plum", "apple", False)]
    suspects = [
        {
            "file": file,
            "label": label,
            "likely": likely,
            "wrong": 0.97 if named else 0.41,
            "named": named,
            "label_probability": 0.04 if named else 0.45,
            "likely_probability": 0.93 if named else 0.5,
        }
        for file, label, likely, named in (*wrong, *doubted)
    ]
    copies = [
        {"code": "duplicates_exact", "count": 2, "files": ["images/apple/010.jpg", "images/apple/012.jpg"]},
        {"code": "duplicates_exact", "count": 2, "files": ["images/pear/010.jpg", "images/pear/014.jpg"]},
        {"code": "series", "count": 3, "files": [f"images/plum/{number:03}.jpg" for number in (20, 22, 24)]},
    ]
    return DrawnPhotos(photos, suspects, copies, [{"file": "images/plum/broken.jpg", "reason": "it is damaged"}])


def draw_leaves(project: Path) -> list[str]:
    """Plants on soil with their masks. Returns the held-out ones, as the project names them."""
    rng = np.random.default_rng(11)
    for name in ("images", "masks"):
        (project / name).mkdir(parents=True, exist_ok=True)
    (project / "classes.txt").write_text("".join(f"{part}\n" for part in PARTS), "utf-8")
    for number in range(LEAF_PHOTOS):
        file = f"images/plant_{number:03}.jpg"
        photo, mask = _plant(rng, number)
        photo.save(project / file, quality=85)
        mask.save(project / name_of_mask(file))
    return [f"images/plant_{number:03}.jpg" for number in range(0, LEAF_PHOTOS, LEAF_PHOTOS // HELD_OUT_LEAVES)]


def name_of_mask(file: str) -> str:
    return file.replace("images/", "masks/").replace(".jpg", ".png")


def _fruit(rng: np.random.Generator, colour: tuple[int, int, int]) -> Image.Image:
    width, height = PHOTO_SIZE
    photo = Image.new("RGB", PHOTO_SIZE, _shade(rng, (205, 200, 190), 15))
    draw = ImageDraw.Draw(photo)
    x, y = int(rng.integers(10, 50)), int(rng.integers(5, 30))
    draw.ellipse((x, y, width - x, height - y), _shade(rng, colour, 22))
    draw.ellipse((x + 60, y + 30, x + 100, y + 60), _shade(rng, tuple(part + 60 for part in colour), 8))
    draw.rectangle((width // 2 - 3, 0, width // 2 + 3, y + 12), (96, 72, 48))
    return photo


def _plant(rng: np.random.Generator, number: int) -> tuple[Image.Image, Image.Image]:
    """A photo and its mask. The higher the number, the more leaves are as brown as the soil, and so not found."""
    photo, mask = Image.new("RGB", PHOTO_SIZE, _shade(rng, (150, 105, 75), 10)), Image.new("L", PHOTO_SIZE)
    on_photo, on_mask = ImageDraw.Draw(photo), ImageDraw.Draw(mask)
    stem = (150, 60, 166, 236)
    on_photo.rectangle(stem, _shade(rng, (95, 90, 170), 10))
    on_mask.rectangle(stem, 2)
    for leaf in range(5):
        x, y = int(rng.integers(10, 230)), int(rng.integers(5, 170))
        box = (x, y, x + 75, y + 48)
        withered = leaf * 8 < number - 8
        on_photo.ellipse(box, _shade(rng, (170, 130, 70) if withered else (70, 165, 60), 12))
        on_mask.ellipse(box, 1)
    return photo, mask


def _shade(rng: np.random.Generator, colour: Sequence[int], spread: int) -> tuple[int, int, int]:
    red, green, blue = np.clip(np.array(colour) + rng.integers(-spread, spread + 1, 3), 0, 255).tolist()
    return red, green, blue


# ---- publishing ----


@dataclass(frozen=True)
class _Model:
    """files: the content of each exported file by its format."""

    kind: Kind
    record: records.Record
    files: Mapping[str, bytes]
    scores: HeldOutScores
    overlays: Sequence[Overlay] = ()


def _published(project: Path, task_id: str, model: _Model) -> Trained:
    record = records.with_input(model.record, SIDE)
    with (
        ProjectFolder.open(project) as opened,
        tempfile.TemporaryDirectory() as name,
        ModelFolder(opened, task_id, 1) as folder,
    ):
        work = Path(name)
        for export, content in model.files.items():
            (work / FILES[export]).write_bytes(content)
        (work / LABELS).write_text(label_lines(record.manifest["labels"]), "utf-8")
        (work / METRICS).write_text(json_text(record.metrics), "utf-8")
        (work / HELD_OUT).write_bytes(model.scores.encoded())
        described = FinishedModel(
            model.kind, work, {**record.manifest, "task_id": task_id}, record.metrics, UserFiles.at(project)
        )
        add_app_pack(described, lambda: _predictor(model.files["tflite"]), DAY)
        add_report(described, lambda: model.overlays, 1, DAY)
        add_masks(described, lambda: model.overlays)
        folder.add_all(work)
        folder.publish(described.manifest)
        _write_log(opened, task_id, record)
        manifest = manifest_of(opened, task_id)
        assert manifest is not None
        # An attempt that takes over the model of another one says so; this attempt has made it.
        return _without_origin(trained(opened, manifest))


def _without_origin(result: Trained) -> Trained:
    return Trained(**{name: getattr(result, name) for name in result.__struct_fields__} | {"taken_over_from": ""})


def _write_log(project: ProjectFolder, task_id: str, record: records.Record) -> None:
    history, now_s = record.metrics["history"], time.time()
    with TaskLog(project, task_id) as log:
        log.write("Attempt 1 begins.")
        for entry in history:
            metrics = {name: value for name, value in entry.items() if name != "epoch"}
            log.epoch(EpochRecord(1, "train", "", entry["epoch"], len(history), iso(now_s), metrics))
            log.write(f"Epoch {entry['epoch']} of {len(history)}: loss {entry['loss']:.4f}.")
        for warning in record.metrics["warnings"]:
            log.write(warning, Level.WARNING)
        log.write("Attempt 1 ended: the model is published.", is_end=True)


def _squares(project: Path, files: Sequence[str]) -> npt.NDArray[np.uint8]:
    reader = PictureReader(UserFiles.at(project))
    return np.stack([read_rgb(reader, reader.files.project_dir / file, (SIDE, SIDE)) for file in files])


def _answers(project: Path, model: bytes, files: Sequence[str]) -> npt.NDArray[Any]:
    return _predictor(model)(_squares(project, files))


def _predictor(model: bytes) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    """From pictures uint8 (n, S, S, 3) to the model's outputs."""
    run = load_content(model, 1)
    return lambda pictures: np.asarray(run(pictures.astype(np.float32)))


def _scaled_mask(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as mask:
        return np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.NEAREST))


def _hashes(project: Path, files: Sequence[str]) -> list[str]:
    return [hashlib.sha256((project / file).read_bytes()).hexdigest() for file in files]
