"""Whoever has a published folder alone gets the outputs that we got, for odd files of pictures as well.

Only manifest.json and model.tflite are used: Pillow reads the picture (tests/plain_reading.py), and the interpreter of
TensorFlow Lite runs the model. The server's own predictions need model.tflite alone, and say the same.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from protocol.options import ClassificationOptions, ExportFormat, SegmentationOptions
from protocol.prediction import Labels, Mask, PictureAnswer
from tests import plain_reading
from tests.odd_pictures import scene, write_odd_pictures
from tests.project_folders import attempt_in
from trainer_worker.classification import train as classification
from trainer_worker.exporting.model_use import use_of
from trainer_worker.exporting.runtimes.tflite_models import load_content
from trainer_worker.prediction.answering import answer
from trainer_worker.prediction.models import LoadedModel
from trainer_worker.prediction.one_picture import OnePicture
from trainer_worker.project.model_files import FILES
from trainer_worker.segmentation import train as segmentation
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.scores import MaskTally

SIDE = 64
#: Of a probability, and of a picture's Dice. Runtimes round differently.
TOLERANCE = 0.002
#: The share of a mask's pixels whose probabilities may lie so close to the threshold that runtimes decide differently.
PIXEL_TOLERANCE = 0.005


class Published:
    """A model's folder, as a stranger has it."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.metrics = json.loads((folder / "metrics.json").read_text())
        self.input = self.manifest["input"]
        self.folder, self._project = folder, project
        self._interpreter = tf.lite.Interpreter(str(folder / "model.tflite"), num_threads=1)
        self._interpreter.allocate_tensors()

    def outputs(self, file: str) -> Any:
        picture = plain_reading.read(self._project / file, self.input)
        return plain_reading.outputs(picture, self.input, self._run)

    def server_says(self, file: str, name: str = "model.tflite") -> PictureAnswer:
        """The answer of a runtime process to the bytes of that picture."""
        content = (self.folder / name).read_bytes()
        model = LoadedModel(use_of(content), load_content(content, 1), len(content))
        return answer(model, OnePicture.sent((self._project / file).read_bytes()), Path(file).name)

    def _run(self, picture: Any) -> Any:
        inputs, outputs = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        self._interpreter.set_tensor(inputs["index"], picture[np.newaxis].astype(np.float32))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(outputs["index"])[0]


def odd_project(project: Path, mask_of: Callable[[Image.Image], Image.Image]) -> Path:
    """Every odd picture, and its mask beside it."""
    (project / "masks").mkdir(parents=True)
    for path in write_odd_pictures(project / "images"):
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
        mask_of(upright).save(project / "masks" / f"{path.stem}.png")
    return project


def half(upright: Image.Image) -> Image.Image:
    mask = Image.new("L", upright.size)
    mask.paste(255, (0, 0, upright.width // 2, upright.height))
    return mask


def thirds(upright: Image.Image) -> Image.Image:
    mask = Image.new("L", upright.size, UNLABELLED)
    for number in range(3):
        mask.paste(number, (0, number * upright.height // 3, upright.width, (number + 1) * upright.height // 3))
    return mask


def test_a_classifier_says_the_same_of_every_odd_picture(tmp_path: Path) -> None:
    write_odd_pictures(tmp_path / "images" / "odd")
    (tmp_path / "images" / "plain").mkdir()
    for number in range(6):
        scene((80, 60), 100 + number).save(tmp_path / "images" / "plain" / f"{number}.jpg")
    exports: tuple[ExportFormat, ...] = ("tflite", "tflite_float16", "tflite_int8")
    options = ClassificationOptions(image_size=SIDE, epochs=1, validation_split=0.5, exports=exports)
    result = classification.train(attempt_in(tmp_path, options))
    published = Published(result.model_path.parent, tmp_path)
    labels = published.manifest["labels"]
    kinds = set()
    for entry in published.metrics["held_out"]:
        said = published.outputs(entry["file"])
        assert labels[int(said.argmax())] == entry["predicted"], entry["file"]
        assert float(said.max()) == pytest.approx(entry["probability"], abs=TOLERANCE), entry["file"]
        kinds.add(Path(entry["file"]).suffix)
        # int8 is less exact by design; its own tests say by how much.
        for name, tolerance in zip(exports, (TOLERANCE, 0.05, 1.0), strict=True):
            served = published.server_says(entry["file"], FILES[name])
            assert isinstance(served, Labels), (entry["file"], served)
            assert [label.label for label in served.labels] == labels
            told = {label.label: label.probability for label in served.labels}
            assert told[entry["predicted"]] == pytest.approx(entry["probability"], abs=tolerance), entry["file"]
            assert sum(told.values()) == pytest.approx(1.0, abs=0.02)
            assert served.unknown == (max(told.values()) < published.manifest["unknown"]["threshold"])
    assert {".jpg", ".png"} <= kinds


@pytest.mark.slow
@pytest.mark.parametrize(("mask_of", "tiles"), [(half, 2), (thirds, 0)])
def test_a_segmenter_draws_the_same_masks(
    tmp_path: Path, mask_of: Callable[[Image.Image], Image.Image], tiles: int
) -> None:
    """The Dice of every held-out picture, by plain outputs, is the one that we tell."""
    project = odd_project(tmp_path, mask_of)
    if mask_of is thirds:
        (project / "classes.txt").write_text("background\nred\nblue\n")
    options = SegmentationOptions(
        image_size=SIDE, epochs=1, tiles=tiles, validation_split=0.5, exports=("tflite",), batch_size=4
    )
    result = segmentation.train(attempt_in(project, options))
    published = Published(result.model_path.parent, project)
    assert published.input["fit"] == ("tiles" if tiles else "squash")
    names = published.manifest["labels"]
    for entry in published.metrics["held_out"]:
        said = published.outputs(entry["file"])
        single = said.shape[-1] == 1
        found = said[..., 0] > published.manifest["threshold"] if single else said.argmax(axis=-1)
        mask = Image.open(project / "masks" / f"{Path(entry['file']).stem}.png")
        truth = np.asarray(mask.resize(found.shape[::-1], Image.Resampling.NEAREST))
        tally = MaskTally(names)
        tally.add((truth > 0).astype(np.uint8) if single else truth, found.astype(np.uint8))
        assert tally.scores().dice == pytest.approx(entry["dice"], abs=TOLERANCE), entry["file"]
        served = published.server_says(entry["file"])
        assert isinstance(served, Mask), (entry["file"], served)
        with Image.open(io.BytesIO(served.png)) as png:
            assert png.size == mask.size
            drawn = np.asarray(png)
        classes = found.astype(np.uint8)
        shares = np.bincount(classes.ravel(), minlength=len(names)) / classes.size
        assert [share.label for share in served.shares] == names
        assert [share.share for share in served.shares] == pytest.approx(shares, abs=PIXEL_TOLERANCE), entry["file"]
        stretched = np.asarray(Image.fromarray(classes).resize(mask.size, Image.Resampling.NEAREST))
        assert (drawn != stretched).mean() <= PIXEL_TOLERANCE, entry["file"]
