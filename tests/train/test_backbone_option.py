"""The option `backbone` in whole trainings: what was used is recorded, and files of two backbones are never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from demo.segmentation_data import make_segmentation_project
from protocol.errors import TrainingError
from protocol.options import ClassificationOptions, SegmentationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train import own_networks
from tests.train.digit_projects import SIZE, write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Cancelled, Job, SilentReporter
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.catalogue import BUNDLED
from trainer_worker.backbones.own_folder import find_own_folder
from trainer_worker.classification import plan as classification_plan
from trainer_worker.classification import train as classification
from trainer_worker.segmentation import plan as segmentation_plan
from trainer_worker.segmentation import train as segmentation


def task(project: Path, task_id: str, **options: Any) -> dict[str, Any]:
    """The manifest of a classification; metrics.json must say the same of the backbone.

    A network of the operator's own lies in the folder `backbones` beside the project.
    """
    given = ClassificationOptions(image_size=SIZE, **{"exports": ("tflite",), **options})
    own = find_own_folder(given.backbone, project.parent / "backbones")
    job = Job(
        hex_id(task_id),
        1,
        open_project(project),
        "classification",
        given,
        weights=LocalWeights.at(own) if own else None,
    )
    folder = classification.train(Attempt(job, SilentReporter(), project.parent / "cache", 2)).model_path.parent
    manifest, metrics = (json.loads((folder / name).read_text()) for name in ("manifest.json", "metrics.json"))
    assert metrics["backbone"] == manifest["backbone"]
    return dict(manifest)


@pytest.mark.slow
def test_a_training_goes_on_from_the_same_backbone_only(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(240))
    first = task(project, "first", epochs=2)
    assert (first["backbone"]["name"], first["continued_from"]) == ("lite0", None)
    assert "backbone=lite0" in first["backbone"]["reason"]

    write_digits(project, range(240, 246))
    # Without a time budget "auto" is lite0: another word for the same network.
    again = task(project, "again", epochs=2, backbone="auto")
    assert (again["backbone"]["name"], again["continued_from"]) == ("lite0", hex_id("first"))
    assert "without a timeBudget" in again["backbone"]["reason"]

    larger = task(project, "larger", epochs=1, backbone="lite1")
    assert (larger["backbone"]["name"], larger["continued_from"]) == ("lite1", None)
    assert larger["versions"]["backbone_sha256"] == BUNDLED["lite1"].weights_sha256
    engines = {folder.name.partition("_")[0] for folder in (project / ".tfmodel" / "features").iterdir()}
    assert engines == {"lite0", "lite1"}
    sizes = [{file["path"]: file["size_bytes"] for file in manifest["files"]} for manifest in (first, larger)]
    assert sizes[1]["model.tflite"] > 1.1 * sizes[0]["model.tflite"]


@pytest.mark.slow
def test_networks_of_the_operators_own_are_trained_on(tmp_path: Path) -> None:
    project = tmp_path / "project"
    write_digits(project, range(240))
    own_networks.put_cnn(tmp_path / "backbones" / "tiny")
    own_networks.put_saved_model(tmp_path / "backbones" / "saved")
    tuned = task(project, "tuned", epochs=1, backbone="own:tiny")
    assert (tuned["backbone"]["name"], tuned["backbone"]["network"]) == ("own:tiny", "Tiny network")
    assert len(history(project, "tuned")) == 1

    # Only the head is trained on the features of a SavedModel, and it can't become a part of a Keras file.
    saved = task(project, "saved", epochs=1, backbone="own:saved", exports=("tflite", "keras"), promote="always")
    assert saved["continued_from"] is None
    assert [missing["format"] for missing in saved["exports"]["not_written"]] == ["keras"]
    assert saved["model_file"] == "model.tflite"
    assert saved["score"]["value"] > 0.45  # of three classes
    assert history(project, "saved") == []
    write_digits(project, range(240, 246))
    assert task(project, "more", epochs=1, backbone="own:saved")["continued_from"] == hex_id("saved")


def history(project: Path, task_id: str) -> list[Any]:
    """The epochs of a task."""
    return list(json.loads((project / "models" / hex_id(task_id) / "metrics.json").read_text())["history"])


def put_unloaded(folder: Path) -> Path:
    """A SavedModel that no test loads."""
    own_networks.put(folder, own_networks.WORDS)
    (folder / "saved_model").mkdir()
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"not loaded")
    return folder


def test_a_saved_model_is_refused_at_once_if_only_a_keras_file_is_wanted(tmp_path: Path) -> None:
    write_digits(tmp_path / "project", range(12))
    put_unloaded(tmp_path / "backbones" / "saved")
    with pytest.raises(TrainingError, match=r"exports=keras can't be had.*ask for exports=tflite as well") as caught:
        task(tmp_path / "project", "t1", backbone="own:saved", exports=("keras",))
    assert caught.value.code == "unsupported_option"
    with pytest.raises(TrainingError, match="saved_model can't be loaded"):  # the control goes on to the network
        task(tmp_path / "project", "t1", backbone="own:saved", exports=("keras", "tflite"))


def test_a_network_without_maps_of_five_sizes_is_refused_for_masks(tmp_path: Path) -> None:
    make_segmentation_project(tmp_path / "project", 4, 1)
    folder = put_unloaded(tmp_path / "tiny")
    options = SegmentationOptions(image_size=SIZE, backbone="own:tiny")
    job = Job(
        hex_id("t1"), 1, open_project(tmp_path / "project"), "segmentation", options, weights=LocalWeights.at(folder)
    )
    with pytest.raises(TrainingError, match=r"own:tiny can't be used for trainType=segmentation.*endpoints") as caught:
        segmentation.train(Attempt(job, SilentReporter(), tmp_path / "cache", 1))
    assert caught.value.code == "unsupported_option"


class CancelledWhenChosen(SilentReporter):
    """Cancels a task when its backbone has been chosen, long before that is trained."""

    def enter(self, phase: str) -> None:
        if phase != "read":
            raise Cancelled


@pytest.mark.parametrize(("budget_s", "name"), [(8, "lite0"), (36000, "lite2")])
def test_auto_takes_what_there_is_time_for(tmp_path: Path, budget_s: int, name: str) -> None:
    write_digits(tmp_path / "digits", range(40))
    make_segmentation_project(tmp_path / "masks", 12, 1)
    given: dict[str, Any] = {"image_size": SIZE, "epochs": 1, "backbone": "auto", "time_budget": budget_s}
    jobs = (
        (classification, "classification", "digits", ClassificationOptions(**given)),
        (segmentation, "segmentation", "masks", SegmentationOptions(**given)),
    )
    for trainer, train_type, folder, options in jobs:
        job = Job(hex_id("t1"), 1, open_project(tmp_path / folder), train_type, options)
        attempt = Attempt(job, CancelledWhenChosen(), tmp_path / "cache", 2)
        with pytest.raises(Cancelled):
            trainer.train(attempt)
        assert attempt.learns_from.split()[0] == BUNDLED[name].weights_sha256, train_type


def test_plans_grow_with_the_backbone_and_not_with_the_budget() -> None:
    backbones = list(BUNDLED.values())
    plans: set[tuple[float, ...]] = set()
    for budget_s in (0, 100, 10000):
        options = ClassificationOptions(time_budget=budget_s)
        plans.add(tuple(classification_plan.ClassifierPlan(500, options, backbone).total_s for backbone in backbones))
    assert len(plans) == 1
    planned = plans.pop()
    assert sorted(set(planned)) == list(planned)
    of_masks = SegmentationOptions()
    seconds = [segmentation_plan.SegmenterPlan(100, 1.0, of_masks, backbone, 1).total_s for backbone in backbones]
    assert sorted(set(seconds)) == seconds


def test_checkpoints_know_the_network_and_the_tiles(tmp_path: Path) -> None:
    """Another attempt may run on a worker with another network of the same name. The network here can't be loaded."""
    write_digits(tmp_path / "digits", range(12))
    make_segmentation_project(tmp_path / "masks", 4, 1)
    endpoints = f"endpoints = {[f'stage{number}' for number in range(5)]}\n"
    folder = own_networks.put(tmp_path / "tiny", own_networks.WORDS + endpoints)
    (folder / "network.keras").write_bytes(b"no network")
    sha256 = own_networks.load(folder).weights_sha256
    given: dict[str, Any] = {"image_size": SIZE, "backbone": "own:tiny"}
    classify = Job(
        hex_id("t1"),
        1,
        open_project(tmp_path / "digits"),
        "classification",
        ClassificationOptions(**given),
        weights=LocalWeights.at(folder),
    )
    segment = Job(
        hex_id("t2"),
        1,
        open_project(tmp_path / "masks"),
        "segmentation",
        SegmentationOptions(tiles=3, **given),
        weights=LocalWeights.at(folder),
    )
    for trainer, job, expected in ((classification, classify, sha256), (segmentation, segment, f"{sha256} tiles=3")):
        attempt = Attempt(job, SilentReporter(), tmp_path / "cache", 1)
        with pytest.raises(TrainingError, match="can't be loaded"):
            trainer.train(attempt)
        assert attempt.learns_from == expected
