"""Copies and series of pictures: found where there are some, and not where there are none."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from protocol.data_report import Finding, Severity
from trainer_worker.pictures.copies import (
    MOST_SHOWN_FILES,
    MOST_SHOWN_GROUPS,
    Copies,
    copies_findings,
    copy_groups,
    find_copies,
    leaks,
)
from trainer_worker.pictures.likeness import look_alikes, thumbnail
from trainer_worker.pictures.series import series_pairs
from trainer_worker.pictures.splits import Split

Pixels = npt.NDArray[np.uint8]


def scene(seed: int, side_px: int = 224) -> Pixels:
    """A picture with structure at every scale, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 255, (cells, cells, 3), dtype=np.uint8)).resize(
                (side_px, side_px), Image.Resampling.BICUBIC
            ),
            np.float32,
        )
        for cells in (4, 12, 40)
    ]
    mixed: Pixels = (0.6 * layers[0] + 0.3 * layers[1] + 0.1 * layers[2]).astype(np.uint8)
    return mixed


def saved_again(pixels: Pixels, quality: int, scale: float = 1.0) -> Pixels:
    side_px = int(len(pixels) * scale)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((side_px, side_px)).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGB").resize((len(pixels), len(pixels))))


def thumbnails(pictures: list[Pixels]) -> Pixels:
    return np.stack([thumbnail(picture) for picture in pictures])


@pytest.mark.parametrize(("quality", "scale"), [(95, 1.0), (50, 1.0), (30, 1.0), (75, 0.5), (80, 1.5)])
def test_a_picture_saved_again_looks_the_same(quality: int, scale: float) -> None:
    pictures = [scene(seed) for seed in range(30)]
    copies = [saved_again(picture, quality, scale) for picture in pictures]

    pairs = look_alikes(thumbnails(pictures + copies))

    assert pairs.tolist() == [[row, row + 30] for row in range(30)]


def test_different_pictures_never_look_the_same() -> None:
    photos = [np.asarray(Image.fromarray(photo).resize((224, 224))) for photo in load_sample_images().images]
    digits = [
        np.repeat((255 - 15 * digit).astype(np.uint8)[..., np.newaxis], 3, axis=2) for digit in load_digits().images
    ]
    scenes = [scene(seed) for seed in range(200)]

    assert not len(look_alikes(thumbnails([*photos, *digits[:600], *scenes])))


def test_pictures_that_differ_in_colour_only_are_not_the_same() -> None:
    red = np.full((64, 64, 3), 120, np.uint8)
    red[16:48, 16:48] = (200, 60, 60)
    blue = red[..., ::-1].copy()

    assert not len(look_alikes(thumbnails([red, blue])))


def test_pictures_without_contrast_are_not_called_copies() -> None:
    rng = np.random.default_rng(0)
    dark = [rng.integers(3, 7, (224, 224, 3), dtype=np.uint8) for _ in range(10)]

    assert not len(look_alikes(thumbnails(dark)))


def test_no_pictures_have_no_pairs() -> None:
    assert look_alikes(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 2)


def test_many_copies_of_one_picture_are_one_group() -> None:
    rng = np.random.default_rng(1)
    noisy = [
        np.clip(scene(1).astype(int) + rng.integers(-3, 4, (224, 224, 3)), 0, 255).astype(np.uint8) for _ in range(60)
    ]
    copies = find_copies([f"{row}.jpg" for row in range(60)], [f"{row:064x}" for row in range(60)], thumbnails(noisy))

    assert len(np.unique(copies.same_look)) == 1
    assert len(np.unique(copies.same_bytes)) == 60


def frames_of(scene_number: int, frames: int) -> list[Pixels]:
    """A camera that moves a little from frame to frame."""
    whole = scene(scene_number, 300)
    return [whole[4 * step : 4 * step + 224, 3 * step : 3 * step + 224] for step in range(frames)]


def test_frames_of_objects_are_series_and_a_cameras_numbers_are_not() -> None:
    names = [f"cars/car{car}_{frame:02}.jpg" for car in range(1, 6) for frame in range(8)]
    pictures = [frame for car in range(1, 6) for frame in frames_of(car, 8)]
    pairs = series_pairs(names, thumbnails(pictures))
    assert {(a // 8) == (b // 8) for a, b in pairs.tolist()} == {True}
    assert len(pairs) >= 5 * 7

    names = [f"holiday/IMG_{number:04}.jpg" for number in range(40)]
    assert not len(series_pairs(names, thumbnails([scene(seed) for seed in range(40)])))
    # Drawings of one kind look much alike, and are no series.
    digits = load_digits()
    rows = [row for kind in range(4) for row in np.flatnonzero(digits.target == kind)[:20]]
    drawn = [np.repeat((15 * digits.images[row]).astype(np.uint8)[..., np.newaxis], 3, axis=2) for row in rows]
    names = [f"digits/{digits.target[row]}_{number}.png" for number, row in enumerate(rows)]
    assert not len(series_pairs(names, thumbnails(drawn)))
    # Years look like objects with frames, but their pictures are no more alike than others.
    names = [f"holiday/{2020 + number // 10}_{number % 10}.jpg" for number in range(40)]
    assert not len(series_pairs(names, thumbnails([scene(seed) for seed in range(40)])))


def test_frames_of_an_object_that_moves_through_the_picture_are_a_series() -> None:
    rng = np.random.default_rng(7)
    names = [f"cars/car{car}_{frame:02}.jpg" for car in range(10, 20) for frame in range(6)]
    pictures = []
    for car in range(10):
        whole = scene(car, 300)
        pictures += [whole[y : y + 224, x : x + 224] for y, x in rng.integers(0, 76, (6, 2))]
    assert len(series_pairs(names, thumbnails(pictures))) >= 10 * 5
    # The same names prove nothing if the pictures of one object are no more alike than others.
    assert not len(series_pairs(names, thumbnails([scene(seed) for seed in range(60)])))


def test_a_burst_is_a_series_within_its_folder_only() -> None:
    whole = scene(3, 300)
    pictures = [whole[step : step + 224, :224] for step in range(3)]
    assert len(series_pairs(["a/IMG_1.jpg", "a/IMG_2.jpg", "a/IMG_4.jpg"], thumbnails(pictures))) == 3 - 1
    assert not len(series_pairs(["a/IMG_1.jpg", "b/IMG_2.jpg", "c/IMG_3.jpg"], thumbnails(pictures)))


def test_augmented_versions_of_one_picture_are_one_series() -> None:
    names = [f"cat/{source}_jpg.rf.{version:032x}.jpg" for source in ("one", "two") for version in range(3)]

    pairs = series_pairs(names, thumbnails([scene(seed) for seed in range(6)]))

    assert pairs.tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.code: finding for finding in findings}


def test_the_owner_is_told_of_copies_series_and_pictures_in_two_classes() -> None:
    pictures = [scene(seed) for seed in range(30)]
    pictures += [pictures[0], saved_again(pictures[1], 60), saved_again(pictures[2], 60)]
    names = [f"cat/{row:02}x.jpg" for row in range(32)] + ["dog/02x.jpg"]
    contents = [f"{row:064x}" for row in range(30)] + [f"{0:064x}", f"{31:064x}", f"{32:064x}"]
    classes = np.array([0] * 15 + [1] * 15 + [0, 0, 1])

    found = by_code(copies_findings(find_copies(names, contents, thumbnails(pictures)), classes))

    assert found["duplicates_exact"].files == ("cat/30x.jpg",)
    assert set(found["duplicates_near"].files) == {"cat/31x.jpg", "dog/02x.jpg"}
    assert found["duplicates_near"].severity is Severity.INFO
    assert set(found["same_picture_in_classes"].files) == {"cat/02x.jpg", "dog/02x.jpg"}
    assert found["same_picture_in_classes"].severity is Severity.WARNING


def test_a_clean_folder_is_not_accused() -> None:
    copies = find_copies(
        [f"cat/{row}.jpg" for row in range(50)],
        [f"{row:064x}" for row in range(50)],
        thumbnails([scene(row) for row in range(50)]),
    )
    assert copies_findings(copies, np.arange(50) % 2) == []


def test_many_copies_are_a_warning_and_leaks_are_counted() -> None:
    pictures = [scene(seed) for seed in range(10)]
    quadrupled = [saved_again(picture, 90 - 10 * copy) for picture in pictures for copy in range(4)]
    names, contents = [f"cat/{row}v.jpg" for row in range(40)], [f"{row:064x}" for row in range(40)]
    copies = find_copies(names, contents, thumbnails(quadrupled))

    assert by_code(copies_findings(copies))["duplicates_near"].severity is Severity.WARNING
    assert by_code(copies_findings(copies))["duplicates_near"].count == 30
    assert leaks(copies.together, Split(np.array([0, 5, 6]), np.array([1, 7, 8]))) == [1, 7]


def test_the_groups_that_people_are_shown_are_the_largest_ones_and_name_each_copy_once() -> None:
    names = [f"{row}.jpg" for row in range(12)]
    same_bytes = np.array([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    same_look = np.array([0, 0, 0, 0, 0, 1, 2, 2, 3, 4, 5, 6])  # 3 looks like 0, and 7 like 6
    together = np.array([0, 0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
    copies = Copies(names, same_bytes, same_look, together)

    assert [(group["code"], group["count"], group["files"]) for group in copy_groups(copies)] == [
        ("duplicates_exact", 3, ["0.jpg", "1.jpg", "2.jpg"]),
        ("duplicates_exact", 2, ["3.jpg", "4.jpg"]),
        ("duplicates_near", 2, ["0.jpg", "3.jpg"]),
        ("duplicates_near", 2, ["6.jpg", "7.jpg"]),
        ("series", 4, ["8.jpg", "9.jpg", "10.jpg", "11.jpg"]),
    ]
    alone = np.arange(12)
    assert copy_groups(Copies(names, alone, alone, alone)) == []
    many = copy_groups(Copies(names, np.arange(12) // 2, np.arange(12) // 2, np.zeros(12, int)))
    assert [(group["code"], group["count"], len(group["files"])) for group in many] == [
        *[("duplicates_exact", 2, 2)] * MOST_SHOWN_GROUPS,
        ("series", 6, MOST_SHOWN_FILES),
    ]
