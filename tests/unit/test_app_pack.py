"""app_pack.zip from made-up scores and real pictures, with a stand-in for the model; no TensorFlow."""

from __future__ import annotations

import datetime
import errno
import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.picture_reading import read_rgb
from tests.unit.small_tflite import small_tflite
from tests.waiting import TIMEOUT_S
from trainer_worker.classification.kind import KIND as CLASSIFICATION
from trainer_worker.exporting.metadata import add_metadata_buffer
from trainer_worker.exporting.model_use import ModelUse
from trainer_worker.pictures.flattening import OWN_RANGES
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.publishing.app_pack import SNIPPETS, FinishedModel, add_app_pack, label_model
from trainer_worker.publishing.model_input import model_input
from trainer_worker.segmentation.kind import KIND as SEGMENTATION

KINDS = {kind.train_type: kind for kind in (CLASSIFICATION, SEGMENTATION)}
SIDE = 32
DAY = datetime.date(2026, 11, 24)
#: The stand-in below is surer than this of two of the pictures that become samples, but not of the third.
THRESHOLD = 0.3342
LABELS = ["daisy", "rose | <b>", "tulip"]
USE = ModelUse(train_type="classification", labels=tuple(LABELS), side_px=SIDE, is_mask=False)


def entry(file: str, truth: str, predicted: str, probability: float) -> dict[str, Any]:
    return {"file": file, "truth": truth, "predicted": predicted, "probability": probability}


HELD_OUT = [
    entry("images/a.jpg", "daisy", "daisy", 0.9),
    entry("images/b.jpg", "daisy", "daisy", 0.95),
    entry("images/c.jpg", "rose | <b>", "rose | <b>", 0.8),
    entry("images/d.jpg", "tulip", "daisy", 0.6),
    entry("images/e.jpg", "tulip", "rose | <b>", 0.7),
]


def manifest(train_type: str = "classification") -> dict[str, Any]:
    classes = train_type == "classification"
    return {
        "task_id": "t1",
        "train_type": train_type,
        "seed": 1,
        "labels": LABELS if classes else ["background", "foreground"],
        "input": model_input(SIDE, OWN_RANGES),
        "output": {
            "shape": [None, 3] if classes else [None, SIDE, SIDE, 1],
            "dtype": "float32",
            "meaning": "probability",
        },
        "exports": {
            "score_name": "held_out_accuracy",
            "trained_model_score": 0.6,
            "pictures": 5,
            "formats": [{"file": "model.tflite", "score": 0.6, "max_difference": 1e-6}],
        },
        "backbone": {"name": "lite1", "network": "EfficientNet-Lite1", "licence": "Apache-2.0"},
        "versions": {"tensorflow": "2.21.0"},
        "warnings": [],
    } | ({"unknown": {"threshold": THRESHOLD}} if classes else {"threshold": 0.5})


HELD_OUT_SCORED = {"method": "held_out", "folds": 1, "enough": False}


def shares(name: str, of: int) -> dict[str, float | None]:
    """A share with its interval, as metrics.json has them."""
    low, high = (0.1, 0.9) if of else (None, None)
    return {name: 0.5, f"{name}_low": low, f"{name}_high": high}


def metrics(train_type: str = "classification") -> dict[str, Any]:
    both: dict[str, Any] = {
        "images": {"train": 12, "held_out": 5},
        "skipped": [{"file": "broken.jpg", "reason": "damaged"}],
        "warnings": ["The same picture stands in different classes: x, y."],
    }
    if train_type == "segmentation":
        held_out = [
            {"file": f"images/{name}.jpg", "dice": dice}
            for name, dice in zip("abcde", (0.9, 0.1, 0.5, 0.7, 0.8), strict=True)
        ]
        score = {"name": "dice", "value": 0.6, "low": 0.31, "high": 0.87, "pictures": 5, "sentence": "Too few to tell."}
        return both | {"held_out": held_out, "score": score, "baseline": {"all_foreground_dice": 0.2}}
    return both | {
        "held_out": HELD_OUT,
        "score": {"value": 0.6, "low": 0.23, "high": 0.88, "right": 3, "pictures": 5, "enough": False}
        | HELD_OUT_SCORED,
        "calibration": {"temperature": 0.7, "ece_before": 0.123, "ece_after": 0.0456},
        "unknown": {"threshold": THRESHOLD, "kept": 0.96, "spotted": 0.254},
        "baseline": {"majority_class_accuracy": 0.4},
        "labels": LABELS,
        "confusion_matrix": [[2, 0, 0], [0, 1, 0], [1, 1, 0]],
        "images_per_class": {"daisy": 7, "rose | <b>": 5, "tulip": 5},
        "per_class": [
            {"label": label, "support": support, **shares("recall", support), **shares("precision", named)}
            for label, support, named in zip(LABELS, (2, 1, 2), (3, 2, 0), strict=True)
        ],
    }


def colours(pictures: Any) -> Any:
    """The stand-in: a picture's mean red, green and blue as probabilities."""
    means = pictures.reshape(len(pictures), -1, 3).mean(axis=1)
    return (means / means.sum(axis=1, keepdims=True)).astype(np.float32)


def red(pictures: Any) -> Any:
    return (pictures[..., :1] / 255).astype(np.float32)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number, name in enumerate("abcde"):
        pixels = rng.integers(0, 255, (90 + number, 120, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.jpg")
    return tmp_path


def pack(project: Path, train_type: str = "classification", folder: str = "model") -> tuple[Path, dict[str, Any]]:
    """The model's folder and what the manifest says afterwards."""
    target, said = project / folder, manifest(train_type)
    target.mkdir()
    (target / "model.tflite").write_bytes(small_tflite())
    predict = colours if train_type == "classification" else red
    add_app_pack(
        FinishedModel(KINDS[train_type], target, said, metrics(train_type), UserFiles.at(project)), lambda: predict, DAY
    )
    return target, said


def unpacked(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "app_pack.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_what_an_app_needs(project: Path) -> None:
    folder, said = pack(project)
    files = unpacked(folder)

    assert said["warnings"] == []
    assert sorted(files) == sorted(
        [
            *("MODEL_CARD.md", "input_spec.json", "labels.txt", "model.tflite"),
            *("samples/1.png", "samples/2.png", "samples/3.png", "samples/expected.json"),
            *("android/Classifier.kt", "android/ModelInput.kt", "ios/Classifier.swift", "ios/ModelInput.swift"),
            *("web/classifier.mjs", "web/input.mjs", "python/predict.py"),
        ]
    )
    assert files["model.tflite"] == (folder / "model.tflite").read_bytes()
    assert files["labels.txt"].decode().splitlines() == LABELS


def test_samples_are_the_pixels_that_the_model_gets_and_what_it_says_of_them(project: Path) -> None:
    files = unpacked(pack(project)[0])

    expected = json.loads(files["samples/expected.json"])
    # The surest of the wrong ones, then the surest right ones of other classes.
    assert [row["file"] for row in expected] == ["images/e.jpg", "images/b.jpg", "images/c.jpg"]
    for row in expected:
        pixels = np.asarray(Image.open(io.BytesIO(files[row["picture"]])))
        assert np.array_equal(pixels, read_rgb(project / row["file"], (SIDE, SIDE)))
        says = colours(pixels[None])[0]
        assert row["probabilities"] == [round(float(value), 4) for value in says]
        assert row["label"] == (LABELS[int(says.argmax())] if says.max() > THRESHOLD else "unknown")
    assert 0 < sum(row["label"] == "unknown" for row in expected) < 3


def test_masks_are_what_the_model_gives_above_its_threshold(project: Path) -> None:
    files = unpacked(pack(project, "segmentation")[0])

    expected = json.loads(files["samples/expected.json"])
    assert [row["file"] for row in expected] == ["images/b.jpg", "images/d.jpg", "images/a.jpg"]  # worst, middle, best
    for row in expected:
        pixels = np.asarray(Image.open(io.BytesIO(files[row["picture"]])))
        mask = np.asarray(Image.open(io.BytesIO(files[row["mask"]])))
        assert np.array_equal(mask, np.where(pixels[..., 0] / 255 > 0.5, 255, 0))
        assert row["meanProbability"] == round(float((pixels[..., 0] / 255).mean()), 4)
    assert {"android/Segmenter.kt", "ios/Segmenter.swift", "web/segmenter.mjs"} < set(files)


def test_the_specification_has_the_models_own_names_and_sizes(project: Path) -> None:
    spec = json.loads(unpacked(pack(project)[0])["input_spec.json"])

    assert (spec["input"]["name"], spec["output"]["name"]) == ("image", "scores")
    assert (spec["input"]["shape"], spec["output"]["shape"]) == ([1, SIDE, SIDE, 3], [1, 3])
    assert spec["input"]["range"] == [0, 255]
    assert spec["output"]["labels"] == LABELS
    assert spec["output"]["unknown"]["threshold"] == THRESHOLD


@pytest.mark.parametrize("train_type", ["classification", "segmentation"])
def test_the_same_model_gives_the_same_bytes(project: Path, train_type: str) -> None:
    first, second = (pack(project, train_type, name)[0] / "app_pack.zip" for name in ("first", "second"))

    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("train_type", ["classification", "segmentation"])
def test_no_blank_of_a_snippet_is_left_open(project: Path, train_type: str) -> None:
    files = unpacked(pack(project, train_type)[0])

    for name, content in files.items():
        if name.startswith(("android/", "ios/", "web/")):
            assert not re.search(r"__[A-Z]+__", content.decode()), name
    assert f"SIDE = {SIDE};" in files["web/input.mjs"].decode()
    assert f"SIDE = {SIDE}\n" in files["android/ModelInput.kt"].decode()
    assert f"side = {SIDE}\n" in files["ios/ModelInput.swift"].decode()
    if train_type == "classification":
        assert "FloatArray(3)" in files["android/Classifier.kt"].decode()
        assert f"UNKNOWN_BELOW = {THRESHOLD}f\n" in files["android/Classifier.kt"].decode()
        assert f"unknownBelow: Float32 = {THRESHOLD}\n" in files["ios/Classifier.swift"].decode()
    used = {name for name in files if name.startswith(("android/", "ios/", "web/", "python/"))}
    folders = (SNIPPETS.folder, KINDS[train_type].presentation(1).snippets.folder)
    there = {path.relative_to(folder) for folder in folders for path in folder.rglob("*.*") if path.suffix != ".pyc"}
    assert used == {path.as_posix() for path in there}


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("train_type", ["classification", "segmentation"])
def test_javascript_is_javascript(project: Path, tmp_path: Path, train_type: str) -> None:
    for name, content in unpacked(pack(project, train_type)[0]).items():
        if name.endswith(".mjs"):
            (tmp_path / "snippet.mjs").write_bytes(content)
            done = subprocess.run(
                ["node", "--check", str(tmp_path / "snippet.mjs")],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            assert done.returncode == 0, f"{name}: {done.stderr}"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_web_page_shows_what_the_samples_expect(project: Path, tmp_path: Path) -> None:
    """The snippet runs as it is, on a stand-in for the runtime that answers with the samples' probabilities."""
    files = unpacked(pack(project)[0])
    (tmp_path / "classifier.mjs").write_bytes(files["web/classifier.mjs"])
    (tmp_path / "input.mjs").write_text("export const SIDE = 32; export const toInput = (image) => image;")
    runtime = tmp_path / "node_modules" / "@litertjs" / "core"
    runtime.mkdir(parents=True)
    (runtime / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
    (runtime / "index.js").write_text(
        "export const loadLiteRt = async () => {};"
        "export class Tensor { constructor(data) { this.answer = data; } delete() {} };"
        "const data = (answer) => ({data: async () => Float32Array.from(answer), delete() {}});"
        "export const loadAndCompile = async () => ({run: async (input) => [data(input.answer)]});"
    )
    expected = json.loads(files["samples/expected.json"])
    (tmp_path / "main.mjs").write_text(
        "import {labelToShow, loadClassifier} from './classifier.mjs';"
        f"globalThis.fetch = async () => ({{text: async () => {json.dumps(files['labels.txt'].decode())}}});"
        "const classify = await loadClassifier('/model/');"
        f"const pictures = {json.dumps([row['probabilities'] for row in expected])};"
        "const shown = [];"
        "for (const picture of pictures) shown.push(labelToShow(await classify(picture)));"
        "console.log(JSON.stringify(shown));"
    )
    done = subprocess.run(
        ["node", str(tmp_path / "main.mjs")], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown == [row["label"] for row in expected]
    assert "unknown" in shown


def test_a_failure_costs_the_pack_and_not_the_model(project: Path) -> None:
    (project / "images" / "e.jpg").write_bytes(b"replaced by something else")

    folder, said = pack(project)

    assert [path.name for path in folder.iterdir()] == ["model.tflite"]
    assert "There is no app_pack.zip (UnreadableImageError: e.jpg" in said["warnings"][0]


def test_half_a_pack_is_removed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    folder, said = pack(project)

    assert [path.name for path in folder.iterdir()] == ["model.tflite"]
    assert "No space left" in said["warnings"][0]


def test_a_model_that_cannot_be_labelled_stays_as_it_is(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    has_metadata = add_metadata_buffer(small_tflite(), "TFLITE_METADATA", b"of somebody else")
    model.write_bytes(has_metadata)

    (warning,) = label_model(model, CLASSIFICATION, USE)

    assert "no metadata and labels inside" in warning
    assert model.read_bytes() == has_metadata
    model.write_bytes(small_tflite())
    assert label_model(model, CLASSIFICATION, USE) == []
    with zipfile.ZipFile(model) as archive:
        assert archive.read("labels.txt").decode().splitlines() == LABELS


def test_names_that_are_not_utf8_are_shown_as_best_they_can_be(project: Path) -> None:
    name, label = os.fsdecode(b"bad\xff.jpg"), os.fsdecode(b"zwei\xff")
    (project / "images" / "a.jpg").rename(project / "images" / name)
    said, scores = manifest(), metrics()
    said["labels"] = scores["labels"] = ["daisy\nred", label, "tulip"]
    scores["held_out"] = [entry(f"images/{name}", label, "tulip", 0.9)]
    scores["images_per_class"] = dict.fromkeys(said["labels"], 5)
    for row, known in zip(scores["per_class"], said["labels"], strict=True):
        row["label"] = known
    (project / "model.tflite").write_bytes(small_tflite())

    add_app_pack(FinishedModel(CLASSIFICATION, project, said, scores, UserFiles.at(project)), lambda: colours, DAY)

    files = unpacked(project)
    assert said["warnings"] == []
    assert files["labels.txt"].decode() == "daisy red\nzwei?\ntulip\n"
    (row,) = json.loads(files["samples/expected.json"])
    assert (row["file"], row["truth"]) == ("images/bad?.jpg", "zwei?")
    assert "zwei?" in files["MODEL_CARD.md"].decode()


@pytest.mark.parametrize(
    ("held_out", "files"),
    [
        (HELD_OUT[:1], ["images/a.jpg"]),
        (HELD_OUT[:2], ["images/a.jpg", "images/b.jpg"]),  # none is wrong: the least sure comes first
        (HELD_OUT[:3], ["images/c.jpg", "images/b.jpg", "images/a.jpg"]),
        (HELD_OUT[3:], ["images/e.jpg", "images/d.jpg"]),
    ],
)
def test_samples_of_few_held_out_pictures(held_out: list[dict[str, Any]], files: list[str]) -> None:
    assert [picked["file"] for picked in CLASSIFICATION.presentation(1).samples.pick(held_out)] == files
    assert [picked["file"] for picked in CLASSIFICATION.presentation(1).samples.pick(held_out[::-1])] == files


def test_the_card_says_how_far_the_score_can_be_trusted(project: Path) -> None:
    card = unpacked(pack(project)[0])["MODEL_CARD.md"].decode()

    assert "Right on 3 of 5 pictures: 60 %" in card
    assert "expect **23 to 88 %** to be right" in card
    assert "5 pictures are not enough" in card
    assert "tulip taken for daisy: 1 of 2" in card
    assert "daisy taken for daisy" not in card
    assert "| rose \\| &lt;b&gt; | 5 | 1 | 50 % (10 to 90 %) | 50 % (10 to 90 %) |" in card
    assert "| tulip | 5 | 2 | 50 % (10 to 90 %) | never named |" in card
    assert "skipped: 1;" in card
    assert "- The same picture stands in different classes" in card
    assert "made | 2026-11-24" in card
    assert "| network | EfficientNet-Lite1, pretrained" in card
    assert "weights: EfficientNet-Lite1, Apache-2.0." in card


def test_the_card_says_how_sure_the_model_is(project: Path) -> None:
    card = unpacked(pack(project)[0])["MODEL_CARD.md"].decode()

    assert "were 4.6 points apart on average, and 12.3 without the calibration" in card
    assert 'Below a probability of **33.4 %** an app should say "unknown". 96 % of the right answers lie above.' in card
    assert "Of pictures of a class that it doesn't know, about 25 % would lie below." in card
    said = metrics()
    said["unknown"] = {"threshold": 0.0, "kept": None, "spotted": None}
    text = "\n".join(CLASSIFICATION.presentation(3).card.scores(said))
    assert "lie above" not in text
    assert "lie below" not in text


def test_the_card_of_a_segmenter_names_its_worst_pictures(project: Path) -> None:
    card = unpacked(pack(project, "segmentation")[0])["MODEL_CARD.md"].decode()

    assert "Too few to tell." in card
    assert "**Dice 60.0 %**, the mean of 5 held-out pictures" in card
    assert "Half of the held-out pictures lie between 50.0 % and 80.0 %, the middle one at\n70.0 %." in card
    assert card.index("images/b.jpg: 10.0 %") < card.index("images/c.jpg: 50.0 %")
    assert "a mean Dice of **31 to 87 %**" in card  # the figures of metrics.json
