"""The feature stage gives what the Keras backbone gives, file by file, and never pays twice for its conversion."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from tests.picture_reading import READER, read_rgb
from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.checked_file import read_checked
from trainer_worker.backbones.efficientnet_lite import LITE0, LITE1
from trainer_worker.classification import features
from trainer_worker.classification.features import FeatureExtractor, PictureFeatures, cache_file
from trainer_worker.classification.variations import MIRRORED_PART, PLAIN
from trainer_worker.pictures.images import UnreadableImageError

SIZE = 64


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def extractor(cache_dir: Path) -> FeatureExtractor:
    return FeatureExtractor(LITE0, SIZE, 2, cache_dir)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Crops of two photos."""
    paths = []
    for name in ("china.jpg", "flower.jpg"):
        photo = Image.fromarray(load_sample_image(name))
        for left in range(0, 500, 45):
            paths.append(tmp_path / f"{name[:-4]}{left}.png")
            photo.crop((left, 100, left + 130, 230)).save(paths[-1])
    return paths


def test_features_equal_those_of_the_keras_backbone(extractor: FeatureExtractor, photos: list[Path]) -> None:
    backbone = LITE0.build(SIZE)
    trunk = backbone.get_layer(LITE0.trunk_end).output
    layers = [backbone.output, *(backbone.get_layer(name).output for name in LITE0.early_layers)]
    pooled = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(layer) for layer in layers])
    reference = keras.Model(backbone.input, [trunk, pooled])

    for variations in ([PLAIN] * len(photos), [MIRRORED_PART.of(path.name) for path in photos]):
        outcomes = list(extractor.of_files(READER, photos, variations))
        pictures = [read_rgb(path, (SIZE, SIZE), v.box) for path, v in zip(photos, variations, strict=True)]
        views = [p[:, ::-1] if v.mirrored else p for p, v in zip(pictures, variations, strict=True)]
        maps, pooled = reference.predict(np.stack(views).astype(np.float32), verbose=0)
        found = [outcome for outcome in outcomes if isinstance(outcome, PictureFeatures)]
        assert len(found) == len(photos)
        np.testing.assert_allclose(np.stack([f.trunk for f in found]), maps, atol=1e-4)
        np.testing.assert_allclose(np.stack([f.pooled for f in found]), pooled, atol=1e-4)
    assert pooled.std() > 0.1  # not all alike, which would pass above


def test_files_and_pictures_in_memory_give_the_same(extractor: FeatureExtractor, photos: list[Path]) -> None:
    pictures = np.stack([read_rgb(path, (SIZE, SIZE)) for path in photos])

    for one, other in zip(extractor.of_files(READER, photos), extractor.of_pictures(pictures), strict=True):
        assert isinstance(one, PictureFeatures)
        np.testing.assert_array_equal(one.pooled, other.pooled)


def test_unreadable_files_keep_their_place(extractor: FeatureExtractor, photos: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")

    outcomes = list(extractor.of_files(READER, [bad, *photos[:3], bad]))

    assert [isinstance(outcome, UnreadableImageError) for outcome in outcomes] == [True, False, False, False, True]


def test_stopping_midway_leaves_the_extractor_usable(extractor: FeatureExtractor, photos: list[Path]) -> None:
    outcomes = extractor.of_files(READER, photos)
    next(outcomes)
    outcomes.close()

    assert len(list(extractor.of_files(READER, photos))) == len(photos)


def test_the_conversion_is_cached_and_a_damaged_file_made_anew(
    extractor: FeatureExtractor, cache_dir: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, content = cache_file(LITE0, SIZE, cache_dir).read_bytes(), read_checked(cache_file(LITE0, SIZE, cache_dir))
    assert content is not None
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    conversions: list[int] = []

    def convert(backbone: Backbone, image_size: int) -> bytes:
        conversions.append(image_size)
        return content

    monkeypatch.setattr(features, "_convert", convert)
    FeatureExtractor(LITE0, SIZE, 1, cache_dir)
    assert conversions == []
    for damaged in (b"", whole[: len(whole) // 2], bytes(flipped)):
        cache_file(LITE0, SIZE, cache_dir).write_bytes(damaged)
        assert len(list(FeatureExtractor(LITE0, SIZE, 1, cache_dir).of_files(READER, photos[:2]))) == 2
        assert cache_file(LITE0, SIZE, cache_dir).read_bytes() == whole
    assert conversions == [SIZE, SIZE, SIZE]
    assert [path.name for path in cache_dir.iterdir()] == [cache_file(LITE0, SIZE, cache_dir).name]


def test_a_cache_that_cannot_be_written_is_done_without(
    extractor: FeatureExtractor, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cache_file(LITE0, SIZE, cache_dir).read_bytes()
    monkeypatch.setattr(features, "_convert", lambda backbone, image_size: whole)
    (tmp_path / "file").write_bytes(b"")

    FeatureExtractor(LITE0, SIZE, 1, tmp_path / "file" / "cache")


def test_a_conversion_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MAX_CONVERSION_DIFFERENCE", -1.0)

    with pytest.raises(RuntimeError, match="differs from the Keras one"):
        features._convert(LITE0, SIZE + 32)  # another size than those that are converted already


def test_what_one_backbone_computed_is_never_taken_for_anothers(extractor: FeatureExtractor, cache_dir: Path) -> None:
    same_name = dataclasses.replace(LITE0, weights_sha256="0" * 64)
    other_end = dataclasses.replace(LITE0, trunk_end="block6b_add")

    names = {cache_file(backbone, SIZE, cache_dir) for backbone in (LITE0, LITE1, same_name, other_end)}

    assert len(names) == 4
    assert extractor.engine.startswith(cache_file(LITE0, SIZE, cache_dir).stem)
