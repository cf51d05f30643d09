"""The probabilities of a trained classifier: calibrated in its files, raw in what the next training continues from."""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol.options import ClassificationOptions
from tests.picture_reading import read_rgb
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.confidence_arithmetic import Answers, check_confidence, noted_answers
from tests.train.digit_projects import SIZE, write_digits
from tests.train.unpacked_pack import complaints, unpack
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter, TrainingResult
from trainer_worker.classification import train as classification
from trainer_worker.classification.continuing import remember_training
from trainer_worker.classification.fine_tuning import predict
from trainer_worker.classification.record import TrainedClassifier
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.scores.calibration import measure_reliability

THREADS = 2


@dataclasses.dataclass
class Trained:
    """A training, and what its model said of the held-out pictures: before its calibration, and as it is remembered."""

    project: Path
    result: TrainingResult
    before: Any
    remembered: Any
    answers: Answers

    def read(self, name: str) -> Any:
        return json.loads((self.result.model_path.parent / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project, cache = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("cache")
    write_digits(project, range(300))
    noted: dict[str, Any] = {}

    def remember(found: TrainedClassifier, job: Job) -> None:
        noted["remembered"] = predict(found.classifier, found.data.maps[found.partition.split.held_out])
        remember_training(found, job)

    # One epoch leaves the model less sure than it may be, so that it needs a temperature.
    options = ClassificationOptions(image_size=SIZE, exports=("tflite",), epochs=1)
    job = Job(hex_id("t1"), 1, open_project(project), "classification", options)
    with pytest.MonkeyPatch.context() as patch, noted_answers() as answers:
        patch.setattr(classification, "remember_training", remember)
        result = classification.train(Attempt(job, SilentReporter(), cache, THREADS))
    (given,) = answers
    return Trained(project, result, given.probabilities.astype(np.float32), noted["remembered"], given)


def test_calibration_and_unknown_of_the_report_are_those_of_its_answers(trained: Trained) -> None:
    check_confidence(trained.result.model_path.parent, trained.answers)


def test_the_exported_file_gives_calibrated_probabilities(trained: Trained) -> None:
    """The file against the probabilities that the model was trained to, and the figures worked out anew from both."""
    metrics, before = trained.read("metrics.json"), trained.before
    told, held_out = metrics["calibration"], metrics["held_out"]
    pictures = np.stack([read_rgb(trained.project / entry["file"], (SIZE, SIZE)) for entry in held_out])
    truth = np.array([metrics["labels"].index(entry["truth"]) for entry in held_out])

    found = load_predictor(trained.result.model_path, THREADS)(pictures)

    assert told["temperature"] < 0.9
    logits = np.log(before) / told["temperature"]
    assert np.allclose(found, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-3)
    assert np.array_equal(found.argmax(axis=1), before.argmax(axis=1))
    assert np.abs(found - before).max() > 0.05
    assert [entry["probability"] for entry in held_out] == pytest.approx(found.max(axis=1).tolist(), abs=1e-3)
    assert told["ece_before"] == pytest.approx(measure_reliability(before, truth).error)
    assert told["ece_after"] < told["ece_before"]
    assert sum(entry["pictures"] for entry in told["after"]) == len(truth)
    facts = trained.read("manifest.json")["calibration"]
    assert facts == {name: told[name] for name in ("temperature", "ece_before", "ece_after")}


def test_the_next_training_continues_from_what_was_trained(trained: Trained) -> None:
    assert np.allclose(trained.remembered, trained.before, atol=1e-6)


def test_the_threshold_keeps_the_right_answers(trained: Trained) -> None:
    unknown, held_out = trained.read("manifest.json")["unknown"], trained.read("metrics.json")["held_out"]

    right = [entry["probability"] for entry in held_out if entry["truth"] == entry["predicted"]]

    assert unknown == trained.read("metrics.json")["unknown"]
    assert unknown["kept"] >= 0.95
    assert unknown["kept"] == pytest.approx(np.mean(np.array(right) >= unknown["threshold"]))
    assert 0 <= unknown["spotted"] <= 1


def test_an_answer_below_the_threshold_is_unknown(trained: Trained, tmp_path: Path) -> None:
    """From the app pack alone, by its program: for digits, and for two digits on top of each other."""
    pack = unpack(trained.result.model_path.parent, tmp_path)
    script = runpy.run_path(str(pack / "python" / "predict.py"))
    model = script["Model"](pack)
    threshold = trained.read("manifest.json")["unknown"]["threshold"]
    assert model.spec["output"]["unknown"]["threshold"] == threshold
    assert complaints(pack) == []

    held_out = trained.read("metrics.json")["held_out"]
    digits = [read_rgb(trained.project / entry["file"], (SIZE, SIZE)) for entry in held_out]
    both = [np.maximum(one, other) for one, other in zip(digits, digits[1:] + digits[:1], strict=True)]
    pictures = np.stack([*digits, *both])
    sure = load_predictor(trained.result.model_path, THREADS)(pictures).max(axis=1)

    said = []
    for pixels in pictures:
        path = tmp_path / "picture.png"
        Image.fromarray(pixels).save(path)
        said.append(str(script["describe"](model, path)).removeprefix(f"{path}: "))
    unknown = np.array([text.startswith("unknown; the likeliest would be ") for text in said])
    clear = np.abs(sure - threshold) > 1e-3
    assert np.array_equal(unknown[clear], (sure < threshold)[clear])
    assert unknown.any()
    assert unknown[: len(digits)].mean() < 0.5
    assert said[int(sure.argmax())].split(" ")[0] in trained.read("metrics.json")["labels"]
