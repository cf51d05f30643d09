"""What is kept in a project folder, and in the worker's own cache."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import msgspec

from protocol.artifact import Artifact
from protocol.prediction import ModelFile
from tests.chaos.flipped_bits.flipping import FoundError, Kind
from tests.chaos.power_loss.projects import FIRST, PROJECT, KeptForLater
from tests.local_roots import project_files
from tests.project_folders import open_project
from tests.sample_tasks import make_spec
from trainer_worker.backbones.checked_file import read_checked, write_checked
from trainer_worker.project.continuation import LastTraining, recall, remember
from trainer_worker.project.feature_cache import FeatureCache
from trainer_worker.project.held_out import HeldOutScores, read_held_out
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import finished_models, manifest_of
from trainer_worker.project.posted_files import ChangedFileError, PlacesToRead, read_model
from trainer_worker.project.promotion import promote
from trainer_worker.project.retention import checkpoints_of
from trainer_worker.project.trained_pictures import SeenPicture, recall_pictures, remember_pictures
from web.answers.refusal import Refusal
from web.files.hashed_files import HashedFiles
from web.files.open_file import Content, OpenFile

KEPT = KeptForLater()
WEIGHTS = bytes(range(256)) * 8
CONTENTS = list(KEPT.pictures)


class Facts(msgspec.Struct, frozen=True):
    history: list[float]


def _files(folder: Path, name: str) -> Sequence[Path]:
    return sorted(path for path in folder.rglob(name) if path.is_file())


def make_checkpoint(folder: Path) -> Sequence[Path]:
    with open_project(folder / PROJECT) as project:
        checkpoints_of(project, FIRST).save("fit", Facts([0.5, 0.25]), [KEPT.weights(1)])
    return _files(folder, "*.checkpoint")


def read_checkpoint(folder: Path) -> Iterator[Hashable]:
    with open_project(folder / PROJECT) as project:
        loaded = checkpoints_of(project, FIRST).load("fit", Facts, [KEPT.weights(1)])
    if loaded is not None:
        yield msgspec.json.encode(loaded[0]), loaded[1][0].tobytes()


def make_features(folder: Path) -> Sequence[Path]:
    with open_project(folder / PROJECT) as project:
        FeatureCache(project, "engine", [(2048,)]).save(CONTENTS[0], "plain", [KEPT.features(1)])
    return _files(folder, "*.plain")


def read_features(folder: Path) -> Iterator[Hashable]:
    with open_project(folder / PROJECT) as project:
        loaded = FeatureCache(project, "engine", [(2048,)]).load(CONTENTS[0], "plain")
    if loaded is not None:
        yield loaded[0].tobytes()


def make_last_training(folder: Path) -> Sequence[Path]:
    with open_project(folder / PROJECT) as project:
        by_picture = dict(zip(CONTENTS, KEPT.classes.tolist(), strict=True))
        remember(project, {}, LastTraining(FIRST, by_picture, frozenset(CONTENTS[:2]), [KEPT.weights(1)]))
        seen = {f"{number}.jpg": SeenPicture(10, "rose") for number in range(4)}
        contents = {f"{number}.jpg": content for number, content in enumerate(CONTENTS)}
        remember_pictures(project, (FIRST, "classification"), seen, contents)
    return _files(folder, "*.checkpoint")


def read_last_training(folder: Path) -> Iterator[Hashable]:
    with open_project(folder / PROJECT) as project:
        last = recall(project, {}, CONTENTS, KEPT.classes, [KEPT.weights(1)])
        pictures = recall_pictures(project, "classification")
    if last is not None:
        yield last.task_id, tuple(sorted(last.classes.items())), last.held_out, last.weights[0].tobytes()
    if pictures is not None:
        yield msgspec.json.encode(pictures)


def make_model(folder: Path, interim: bool = False) -> Sequence[Path]:
    scores = HeldOutScores.of("accuracy", CONTENTS, ["rose"] * 4, [1.0, 0.0, 1.0, 1.0])
    with open_project(folder / PROJECT) as project, ModelFolder(project, FIRST, 1) as model:
        model.add("model.tflite", io.BytesIO(WEIGHTS))
        model.add("held_out.json", io.BytesIO(scores.encoded()))
        facts = {"train_type": "classification", "metrics": {"accuracy": 0.75}, "warnings": ["Few pictures."]}
        model.publish({"model_file": "model.tflite", "interim": interim, **facts})
    (folder / "artifact").write_bytes(msgspec.json.encode(_artifact(folder)))
    return _files(folder / PROJECT / "models" / FIRST, "model.tflite")


def make_manifest(folder: Path) -> Sequence[Path]:
    make_model(folder)
    return _files(folder / PROJECT / "models" / FIRST, "manifest.json")


def make_held_out(folder: Path) -> Sequence[Path]:
    make_model(folder)
    return _files(folder / PROJECT / "models" / FIRST, "held_out.json")


def make_interim(folder: Path) -> Sequence[Path]:
    return make_model(folder, interim=True)


def _artifact(folder: Path) -> Artifact:
    with open_project(folder / PROJECT) as project:
        manifest = manifest_of(project, FIRST)
    assert manifest is not None
    return next(artifact for artifact in manifest.artifacts if artifact.name == "model.tflite")


def read_manifest(folder: Path) -> Iterator[Hashable]:
    """As a worker reads it, which does not have the journal's hashes."""
    with open_project(folder / PROJECT) as project, project.models() as models:
        for model in finished_models(models):
            yield msgspec.json.encode(model.manifest.content, order="sorted")


def read_held_out_scores(folder: Path) -> Iterator[Hashable]:
    with open_project(folder / PROJECT) as project, project.models() as models, models.folder(FIRST) as model:
        manifest = manifest_of(project, FIRST)
        assert manifest is not None
        scores = read_held_out(model, manifest)
    if scores is not None:
        yield scores.encoded()


def read_chosen(folder: Path) -> Iterator[Hashable]:
    """A person makes the model the one in use."""
    artifact = msgspec.json.decode((folder / "artifact").read_bytes(), type=Artifact)
    with open_project(folder / PROJECT) as project:
        done = promote(project, FIRST, [artifact])
    if done.error:
        raise FoundError(done.error)
    yield "chosen"


def read_served(folder: Path) -> Iterator[Hashable]:
    """A caller downloads the model. The journal has its hash."""
    artifact = msgspec.json.decode((folder / "artifact").read_bytes(), type=Artifact)
    try:
        asyncio.run(_check(folder, artifact))
    except Refusal as refusal:
        raise FoundError(str(refusal)) from refusal
    yield "served"


async def _check(folder: Path, artifact: Artifact) -> None:
    with (folder / PROJECT / "models" / FIRST / artifact.name).open("rb") as file:
        await HashedFiles(project_files(folder)).check(OpenFile(file, Content.of(file)), artifact)


def read_predicting(folder: Path) -> Iterator[Hashable]:
    """A runtime process loads the model for a prediction."""
    artifact = msgspec.json.decode((folder / "artifact").read_bytes(), type=Artifact)
    try:
        file = ModelFile(make_spec(FIRST, project_path=str(folder / PROJECT)), artifact)
        yield read_model(file, PlacesToRead((folder,)))
    except ChangedFileError as error:
        raise FoundError("the model is not used") from error


def make_backbone(folder: Path) -> Sequence[Path]:
    write_checked(folder / "backbone.tflite", WEIGHTS)
    return [folder / "backbone.tflite"]


def read_backbone(folder: Path) -> Iterator[Hashable]:
    content = read_checked(folder / "backbone.tflite")
    if content is not None:
        yield content


KINDS = (
    Kind("checkpoint", "a CRC-32 of the file", make_checkpoint, read_checkpoint),
    Kind("cached features", "a CRC-32 of each picture's features", make_features, read_features),
    Kind("last training, trained pictures", "a CRC-32 of the file", make_last_training, read_last_training),
    Kind("manifest.json", "a SHA-256 of its content in it, and the journal's SHA-256", make_manifest, read_manifest),
    Kind("held_out.json", "its SHA-256 in the manifest", make_held_out, read_held_out_scores),
    Kind("model that is made the latest", "its SHA-256 in manifest and journal", make_model, read_chosen),
    Kind("model that is served", "its SHA-256 in the journal", make_model, read_served),
    Kind("model that predicts", "its SHA-256 in the journal", make_model, read_predicting),
    Kind("interim model that is served", "its SHA-256 in the journal", make_interim, read_served),
    Kind("converted backbone", "its SHA-256 behind it", make_backbone, read_backbone),
)
