"""The probabilities of a trained classifier: calibrated in its files, raw in what the next training continues from."""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.options import ClassificationOptions
from tests.picture_reading import read_rgb
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import SIZE, write_digits
from tests.train.unpacked_pack import complaints, unpack
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter, TrainingResult
from trainer_worker.classification import confidence, publication
from trainer_worker.classification import train as classification
from trainer_worker.classification.classifier import predict
from trainer_worker.classification.confidence import measure_confidence
from trainer_worker.classification.continuing import remember_training
from trainer_worker.classification.evaluation import Evaluation
from trainer_worker.classification.record import TrainedClassifier
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.scores.calibration import Calibration, calibrate, measure_reliability

THREADS = 2
#: Whether sixty answers show that another temperature than 1 helps is luck, so the fixture uses this one.
TEMPERATURE = 0.6
RUNTIMES_DIFFER_BY = 1e-4


@dataclasses.dataclass
class Trained:
    """A training, and what its model said of the held-out pictures: before its calibration, and as it is remembered."""

    project: Path
    result: TrainingResult
    before: Any
    remembered: Any

    def read(self, name: str) -> Any:
        return json.loads((self.result.model_path.parent / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project, cache = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("cache")
    write_digits(project, range(300))
    noted: dict[str, Any] = {}

    def measure(data: Any, partition: Any, evaluation: Evaluation, seed: int) -> Any:
        noted["before"] = evaluation.held_out
        return measure_confidence(data, partition, evaluation, seed)

    def remember(found: TrainedClassifier, job: Job) -> None:
        noted["remembered"] = predict(found.classifier, found.data.plain.of(found.partition.split.held_out))
        remember_training(found, job)

    def measured(*of_answers: Any) -> Calibration:
        return dataclasses.replace(calibrate(*of_answers), temperature=TEMPERATURE)

    options = ClassificationOptions(image_size=SIZE, exports=("tflite",))
    job = Job(hex_id("t1"), 1, open_project(project), "classification", options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publication, "measure_confidence", measure)
        patch.setattr(confidence, "calibrate", measured)
        patch.setattr(classification, "remember_training", remember)
        result = classification.train(Attempt(job, SilentReporter(), cache, THREADS))
    return Trained(project, result, noted["before"], noted["remembered"])


def test_the_exported_file_gives_calibrated_probabilities(trained: Trained) -> None:
    """The file against the probabilities that the model was trained to, and the figures worked out anew from both."""
    metrics, before = trained.read("metrics.json"), trained.before
    told, held_out = metrics["calibration"], metrics["held_out"]
    pictures = np.stack([read_rgb(trained.project / entry["file"], (SIZE, SIZE)) for entry in held_out])
    truth = np.array([metrics["labels"].index(entry["truth"]) for entry in held_out])

    found = load_predictor(trained.result.model_path, THREADS)(pictures)

    assert told["temperature"] == TEMPERATURE
    logits = np.log(before) / TEMPERATURE
    assert np.allclose(found, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-3)
    assert np.array_equal(found.argmax(axis=1), before.argmax(axis=1))
    assert np.abs(found - before).max() > 0.05
    assert [entry["probability"] for entry in held_out] == pytest.approx(found.max(axis=1).tolist(), abs=1e-3)
    assert told["ece_before"] == pytest.approx(measure_reliability(before, truth).error)
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


def test_the_app_packs_program_says_unknown_below_the_threshold_and_else_the_label(
    trained: Trained, tmp_path: Path
) -> None:
    pack = unpack(trained.result.model_path.parent, tmp_path)
    script = runpy.run_path(str(pack / "python" / "predict.py"))
    model = script["Model"](pack)
    threshold = trained.read("manifest.json")["unknown"]["threshold"]
    assert model.spec["output"]["unknown"]["threshold"] == threshold
    assert complaints(pack) == []

    said = {True: 0, False: 0}
    for entry in trained.read("metrics.json")["held_out"]:
        path, is_unknown = trained.project / entry["file"], entry["probability"] < threshold
        text = str(script["describe"](model, path)).removeprefix(f"{path}: ")
        if abs(entry["probability"] - threshold) > RUNTIMES_DIFFER_BY:
            assert text.startswith("unknown; the likeliest would be " if is_unknown else f"{entry['predicted']} "), text
            said[is_unknown] += 1
    assert said[True] >= 1, "of more than twenty right answers, one in twenty lies below"
    assert said[False] > said[True]
