"""A helper computes features for another worker's training, which has the same features with and without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from protocol.options import ClassificationOptions
from tests.project_folders import attempt_in
from tests.train.digit_projects import SIZE, write_digits
from trainer_worker.attempt.job import Cancelled, SilentReporter
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import shared_views
from trainer_worker.classification.cached_features import CachedFeatures
from trainer_worker.classification.dataset import Dataset, features_of_rows, read_dataset, varied_view
from trainer_worker.classification.features import FeatureExtractor, Outcome, View, kept_extractor
from trainer_worker.classification.folders import ClassFolders, scan_class_folders
from trainer_worker.classification.helping import help_with
from trainer_worker.classification.shared_views import SharedView, SharedViews, checkpoint_name
from trainer_worker.classification.variations import MIRRORED_PART, PART, PLAIN_VIEW, PictureView

PICTURES = 120
OPTIONS = ClassificationOptions(image_size=SIZE, workers=2)


@pytest.fixture(autouse=True)
def few_are_worth_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_views, "LEAST_SHARED", 20)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose features were computed, by the training and by its helper."""
    names: list[str] = []
    of_views = FeatureExtractor.of_views

    def noting(self: FeatureExtractor, reader: Any, views: Iterator[View]) -> Iterator[Outcome]:
        def noted() -> Iterator[View]:
            for view in views:
                names.append(view[0].name)
                yield view

        return of_views(self, reader, noted())

    monkeypatch.setattr(FeatureExtractor, "of_views", noting)
    return names


class Training(SilentReporter):
    """A training in its feature stage. after: what happens when so many pictures are done."""

    def __init__(self, folder: Path, after: dict[int, Callable[[], None]] | None = None) -> None:
        self.helpers_wanted: list[int] = []
        self._after = after or {}
        self.attempt = attempt_in(folder, OPTIONS, self)
        self.attempt.job = dataclasses.replace(self.attempt.job, share_above_pictures=PICTURES - 50)

    def want_helpers(self, count: int) -> None:
        self.helpers_wanted.append(count)

    def read(self) -> tuple[Dataset, CachedFeatures]:
        """Read the plain views."""
        folders: ClassFolders = scan_class_folders(self.attempt.job.files).in_one_grey_scale(1, lambda: None)
        extractor = kept_extractor(LITE0, SIZE, 1, self.attempt.cache_dir)
        shared = SharedViews(self.attempt, LITE0.name, len(folders.files))
        features = CachedFeatures(extractor, self.attempt.job.project, shared)
        return read_dataset(folders, features, self._on_done), features

    def read_varied(self, view: PictureView) -> None:
        """Read the plain views, and then the varied ones, whose numbers go on where those of the plain ones end."""
        data, features = self.read()
        rows = np.arange(len(data.contents))
        varied_view(data, rows, features_of_rows(data, rows, view, features), self._on_done)

    def _on_done(self, done: int) -> None:
        action = self._after.pop(done, None)
        if action is not None:
            action()


class Helper(SilentReporter):
    """Helps until nothing is left, or until it has computed `most` pictures."""

    def __init__(self, folder: Path, most: int = 10**9) -> None:
        self.pictures, self._most, self._waits = 0, most, 0
        self.attempt = attempt_in(folder, OPTIONS, self)
        self.attempt.threads = 1

    def step(self, fraction: float, **metrics: float) -> None:
        if "pictures" in metrics:
            self.pictures = int(metrics["pictures"])
        else:
            self._waits += 1  # for the next view, which never comes here
        if self._waits or self.pictures >= self._most:
            raise Cancelled

    def help(self) -> None:
        with pytest.raises(Cancelled):
            help_with(self.attempt, 1)


def cached(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(".tfmodel/features/*/*")}


def test_features_are_the_same_bytes_and_each_is_computed_once(tmp_path: Path, computed: list[str]) -> None:
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    for folder in (alone, helped):
        write_digits(folder, range(PICTURES))
    expected, _ = Training(alone).read()
    computed.clear()
    helper = Helper(helped)
    training = Training(helped, {10: helper.help})
    found, features = training.read()
    assert helper.pictures > PICTURES / 2
    assert training.helpers_wanted == [1]
    assert features.done_ahead == 0
    assert PICTURES <= len(computed) <= PICTURES + 16
    assert set(computed) == {path.name for path in found.folders.files}
    assert cached(helped) == cached(alone)
    np.testing.assert_array_equal(found.plain.maps, expected.plain.maps)


@pytest.mark.parametrize("view", [MIRRORED_PART, PART], ids=lambda view: view.name)
def test_a_helper_computes_varied_views_where_the_plain_ones_are_cached(
    tmp_path: Path, computed: list[str], view: PictureView
) -> None:
    write_digits(tmp_path, range(PICTURES))
    Training(tmp_path).read()
    plain = cached(tmp_path)
    helper = Helper(tmp_path)
    training = Training(tmp_path, {PICTURES + 10: lambda: help_with(helper.attempt, 1)})
    training.attempt.job.checkpoints.clear()  # as in another task
    computed.clear()
    training.read_varied(view)
    assert helper.pictures > PICTURES / 2
    assert PICTURES <= len(computed) <= PICTURES + 16
    assert len(cached(tmp_path)) == 2 * PICTURES
    assert cached(tmp_path).items() > plain.items()


def test_a_helper_finds_the_list_of_pictures_of_deep_grey(tmp_path: Path) -> None:
    write_digits(tmp_path, range(PICTURES))
    for path in tmp_path.rglob("*.png"):
        with Image.open(path) as image:
            grey = np.asarray(image).astype(np.uint16) * 200
        Image.fromarray(grey).save(path)
    helper = Helper(tmp_path)
    Training(tmp_path, {10: helper.help}).read()
    assert helper.pictures > PICTURES / 2
    assert len(cached(tmp_path)) == PICTURES


def test_a_helper_that_is_lost_in_the_middle_costs_a_few_pictures(tmp_path: Path, computed: list[str]) -> None:
    write_digits(tmp_path, range(PICTURES))
    helper = Helper(tmp_path, most=40)
    found, _ = Training(tmp_path, {10: helper.help}).read()
    assert helper.pictures == 40
    assert len(found.contents) == len(cached(tmp_path)) == PICTURES
    assert len(computed) <= PICTURES + 16


def test_the_training_counts_what_helpers_have_done(tmp_path: Path) -> None:
    write_digits(tmp_path, range(PICTURES))
    training = Training(tmp_path)
    extractor = kept_extractor(LITE0, SIZE, 1, training.attempt.cache_dir)
    shared = SharedViews(training.attempt, LITE0.name, PICTURES)
    shared._next_look_s = float("inf")
    features = CachedFeatures(extractor, training.attempt.job.project, shared)
    folders = scan_class_folders(training.attempt.job.files)

    def help_and_look(done: int) -> None:
        if done == 5:
            Helper(tmp_path, most=50).help()
            shared._next_look_s = 0.0
        if done == 6:
            assert features.done_ahead >= 50
            shared._next_look_s = float("inf")
        if done > 6:
            ahead.append(done + features.done_ahead)

    ahead: list[int] = []
    read_dataset(folders, features, help_and_look)
    assert max(ahead) <= PICTURES
    assert ahead == sorted(ahead), "progress goes back"


def test_hostile_pictures_are_left_to_the_training(tmp_path: Path) -> None:
    write_digits(tmp_path, range(PICTURES))
    outside = tmp_path.parent / f"{tmp_path.name}-outside.png"
    for name, row in (("cut off", PICTURES - 1), ("link", PICTURES - 2)):
        path = next(tmp_path.rglob(f"{row}.png"))
        content = path.read_bytes()
        if name == "link":
            path.rename(outside)
            path.symlink_to(outside)
        else:
            path.write_bytes(content[: len(content) // 2])
    helper = Helper(tmp_path)
    found, _ = Training(tmp_path, {10: helper.help}).read()
    assert helper.pictures > 20
    assert len(cached(tmp_path)) == len(found.contents) == PICTURES - 2
    assert len(found.skipped) == 2


def test_nobody_is_asked_where_nobody_could_help(tmp_path: Path) -> None:
    write_digits(tmp_path, range(60))
    small = Training(tmp_path)
    small.read()
    assert small.helpers_wanted == []
    job = small.attempt.job
    assert shared_views.most_helpers(job, PICTURES) == 1
    assert shared_views.most_helpers(dataclasses.replace(job, unpacked=job.files), PICTURES) == 0
    known = Training(tmp_path)
    write_digits(tmp_path, range(60, 75))
    known.read()
    assert known.helpers_wanted == [0], "most features are in the cache"


@pytest.mark.parametrize(
    "changes",
    [{"engine": "lite0_64px_other"}, {"backbone": "resnet50_v2"}],
)
def test_a_helper_with_other_features_declines(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_digits(tmp_path, range(PICTURES))

    def decline() -> None:
        checkpoints = training.attempt.job.checkpoints
        name = checkpoint_name(1, PLAIN_VIEW)
        offered = checkpoints.load(name, SharedView, ())
        assert offered is not None
        checkpoints.save(name, msgspec.structs.replace(offered[0], **changes), ())
        with pytest.raises(ValueError, match=r"features|weights"):
            help_with(Helper(tmp_path).attempt, 1)

    training = Training(tmp_path, {10: decline})
    training.read()


@pytest.mark.parametrize("other", [("FEATURES_VERSION", 99), ("tf.__version__", "2.21.99")])
def test_a_helper_that_runs_other_code_declines_and_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: tuple[str, object]
) -> None:
    write_digits(tmp_path, range(PICTURES))

    def decline() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(f"trainer_worker.classification.features.{other[0]}", other[1])
            with pytest.raises(ValueError, match="versions of TFModel and TensorFlow"):
                help_with(Helper(tmp_path).attempt, 1)
            engines.add(kept_extractor(LITE0, SIZE, 1, training.attempt.cache_dir).engine)
        engines.add(kept_extractor(LITE0, SIZE, 1, training.attempt.cache_dir).engine)

    engines: set[str] = set()
    training = Training(tmp_path, {10: decline})
    training.read()
    assert len(engines) == 2, "the name of the cache's folder"


def test_a_list_that_leads_out_of_the_project_is_no_list() -> None:
    for name in ("../secret.png", "/etc/secret.png"):
        with pytest.raises(ValueError, match="below the project folder"):
            msgspec.convert(
                {"engine": "e", "backbone": "lite0", "grey": {}, "pictures": [(name, "0" * 64)]}, SharedView
            )
