"""The folders that benchmarks.honesty draws from a set: nothing unseen is in them, nor a copy of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.drawn_folders import (
    KINDS,
    LEAST_UNSEEN,
    SourceSet,
    draw,
    lay_out,
    mislabel,
    project_file,
    read_set,
    save_again,
    shortage,
    wanted_counts,
)
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.likeness import look_alikes, thumbnail
from trainer_worker.pictures.user_files import UserFiles


def numbered_set(counts: list[int], of_group: int = 1) -> SourceSet:
    """A set without files, in which of_group pictures in a row are copies of each other."""
    classes = np.repeat(np.arange(len(counts)), counts)
    groups = np.arange(len(classes)) // of_group
    files = tuple(Path(f"/set/{row}.png") for row in range(len(classes)))
    return SourceSet("set", tuple(f"class {number}" for number in range(len(counts))), files, classes, groups)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(1, 6))
def test_no_unseen_picture_or_copy_of_it_is_in_the_folder(kind: str, seed: int) -> None:
    source = numbered_set([120, 240, 180], of_group=3)
    drawn = draw(source, wanted_counts(kind, 3, 60, seed), seed, 1000)
    assert len(drawn.taken)
    assert len(drawn.unseen)
    assert not set(drawn.taken) & set(drawn.unseen)
    assert not set(source.groups[drawn.taken]) & set(source.groups[drawn.unseen])


def test_at_least_a_fifth_of_each_class_is_never_shown_and_that_is_said() -> None:
    source = numbered_set([50, 100, 20])
    counts = [60, 60, 60]
    drawn = draw(source, counts, 1, 1000)
    assert np.bincount(source.classes[drawn.taken]).tolist() == [35, 60, 5]
    assert np.bincount(source.classes[drawn.unseen]).tolist() == [LEAST_UNSEEN, 40, LEAST_UNSEEN]
    said = shortage(source, counts, drawn)
    assert said == "The set lacks pictures, so the folder has fewer of: class 0 35 of 60, class 2 5 of 60."
    assert shortage(source, [10, 10, 5], draw(source, [10, 10, 5], 1, 1000)) == ""


def test_the_unseen_pictures_may_be_limited_and_the_seed_decides_everything() -> None:
    source = numbered_set([100, 100])
    first, second, other = (draw(source, [30, 30], seed, 20) for seed in (1, 1, 2))
    assert np.bincount(source.classes[first.unseen]).tolist() == [20, 20]
    assert (first.taken == second.taken).all()
    assert (first.unseen == second.unseen).all()
    assert (first.taken != other.taken).any()


def test_kinds_have_the_counts_that_the_benchmark_tells_of() -> None:
    assert wanted_counts("plain", 3, 60, 1) == [60, 60, 60]
    assert sorted(wanted_counts("imbalanced", 4, 60, 1)) == [12, 60, 80, 100]
    assert wanted_counts("imbalanced", 4, 60, 1) != wanted_counts("imbalanced", 4, 60, 2)
    small = [count for seed in range(50) for count in wanted_counts("small", 4, 60, seed)]
    assert (min(small), max(small)) == (12, 20)


@pytest.fixture
def drawn_set(tmp_path: Path) -> SourceSet:
    """Class folders of two classes with pictures of coarse grey noise, one of them twice, and one in both classes."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "set"
    for label in ("left", "right"):
        (folder / label).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).resize((64, 64)).save(folder / label / f"{label}_{number}.png")
    (folder / "left" / "again.png").write_bytes((folder / "left" / "left_7.png").read_bytes())
    (folder / "right" / "both.png").write_bytes((folder / "left" / "left_9.png").read_bytes())
    return read_set(folder)


def test_a_set_is_read_with_its_copies_and_without_unclear_pictures(drawn_set: SourceSet) -> None:
    names = [path.name for path in drawn_set.files]
    assert (drawn_set.name, drawn_set.labels) == ("set", ("left", "right"))
    assert not {"left_9.png", "both.png"} & set(names)
    assert len(names) == 80
    assert drawn_set.groups[names.index("again.png")] == drawn_set.groups[names.index("left_7.png")]
    assert len(set(drawn_set.groups.tolist())) == 79


def test_copies_are_saved_anew_beside_their_pictures_and_resemble_no_unseen_one(
    drawn_set: SourceSet, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    drawn = draw(drawn_set, [20, 20], 1, 1000)
    lay_out(drawn_set, drawn.taken, project)
    save_again(drawn_set, drawn.taken, project, 1)
    files = sorted(project.rglob("*.*"))
    assert len(files) == 48
    reader = PictureReader(UserFiles.at(tmp_path))
    unseen = [drawn_set.files[row] for row in drawn.unseen]
    thumbnails = np.stack([thumbnail(read_rgb(reader, path, (64, 64))) for path in (*files, *unseen)])
    pairs = look_alikes(thumbnails)
    assert ((pairs < len(files)).all(axis=1) | (pairs >= len(files)).all(axis=1)).all()
    in_folder = pairs[(pairs < len(files)).all(axis=1)]
    saved = {row for row, path in enumerate(files) if "saved again" in path.name}
    assert len(saved) == 8
    assert saved <= set(in_folder.ravel().tolist())
    assert all(files[first].parent == files[second].parent for first, second in in_folder)


def test_five_per_cent_are_moved_to_another_class(drawn_set: SourceSet, tmp_path: Path) -> None:
    project = tmp_path / "project"
    drawn = draw(drawn_set, [20, 20], 1, 1000)
    lay_out(drawn_set, drawn.taken, project)
    moved = mislabel(drawn_set, drawn.taken, project, 1)
    assert len(moved) == 2
    assert len(list(project.rglob("*.png"))) == 40
    gone = [row for row in drawn.taken if not project_file(drawn_set, row, project).exists()]
    assert len(gone) == 2
    for row in gone:
        other = "right" if drawn_set.labels[drawn_set.classes[row]] == "left" else "left"
        assert f"images/{other}/{drawn_set.files[row].stem} moved.png" in moved


def test_pictures_of_one_name_in_one_class_are_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in ("left", "right"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (40, 40), (number * 50, 90, 30)).save(tmp_path / part / label / f"{number}.png")
    with pytest.raises(ValueError, match="same name"):
        read_set(tmp_path)
