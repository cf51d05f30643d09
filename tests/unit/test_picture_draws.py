"""Which sets, forms and pictures the benchmark of classification uses, and which pictures train and score."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import recipes
from benchmarks.picture_draws import UNUSED, Form
from benchmarks.picture_sets import PictureSet
from tests.unit.test_boxed_objects import write_photo

FORMS = (Form(2), Form(5, scored_per_class=7), Form(), Form(per_class=10))


def a_set() -> tuple[np.ndarray, np.ndarray]:
    """Classes and units: single pictures, series of four, and photos from which pictures of two classes were cut."""
    random = np.random.default_rng(3)
    singles = [([label], number) for label in range(3) for number in range(20 * label, 20 * label + 20)]
    series = [([number % 3] * 4, 100 + number) for number in range(6)]
    photos = [([1, 2, 2], 200 + number) for number in range(10)]
    rows = [(label, unit) for labels, unit in (*singles, *series, *photos) for label in labels]
    random.shuffle(rows)
    classes, units = np.array(rows, np.int64).T
    units[:4] = UNUSED
    return classes, units


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_no_unit_trains_and_scores(form: Form) -> None:
    classes, units = a_set()
    for seed in range(20):
        split = form.draw(classes, units, seed)
        assert not set(units[split.train]) & set(units[split.held_out])
        assert UNUSED not in units[np.concatenate([split.train, split.held_out])]
        assert set(classes[split.train]) == set(classes[split.held_out]) == {0, 1, 2}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_seed_alone_decides(form: Form) -> None:
    first, again, other = (form.draw(*a_set(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.train, again.train)
    assert np.array_equal(first.held_out, again.held_out)
    assert not np.array_equal(first.held_out, other.held_out)


def test_shots_are_exact_and_what_scores_is_bounded() -> None:
    classes, units = a_set()
    split = Form(5, scored_per_class=7).draw(classes, units, seed=1)
    assert np.bincount(classes[split.train]).tolist() == [5, 5, 5]
    assert np.bincount(classes[split.held_out]).tolist() == [7, 7, 7]
    # While there are enough units, no two shots of a class come from the same one.
    for label in range(3):
        assert len(np.unique(units[split.train[classes[split.train] == label]])) == 5


def test_a_class_with_too_few_pictures_keeps_some_to_score() -> None:
    classes = np.repeat([0, 1], [10, 100])
    split = Form(40).draw(classes, np.arange(110), seed=1)
    assert np.bincount(classes[split.train]).tolist() == [8, 40]
    assert np.bincount(classes[split.held_out]).tolist() == [2, 60]


def test_a_fifth_of_each_class_is_held_out() -> None:
    classes = np.repeat([0, 1], [100, 50])
    split = Form().draw(classes, np.arange(150), seed=1)
    assert np.bincount(classes[split.held_out]).tolist() == [20, 10]
    assert len(split.train) == 120
    some = Form(per_class=40).draw(classes, np.arange(150), seed=1)
    assert np.bincount(classes[some.train]).tolist() == [32, 32]
    assert np.bincount(classes[some.held_out]).tolist() == [8, 8]


def write(folder: Path, name: str, seed: int, side_px: int = 32) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((side_px, side_px), Image.Resampling.NEAREST).save(folder / name)


def test_copies_and_cuttings_of_one_photo_are_one_unit(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path, f"cat/{number}a.png", seed=number)
        write(tmp_path, f"dog/{number}a.png", seed=10 + number)
    write(tmp_path, "cat/scaled.png", seed=0, side_px=64)
    write(tmp_path, "dog/cat.png", seed=1)  # the same picture in two classes
    (tmp_path / "dog" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    plain = PictureSet("pets", tmp_path)
    cut = PictureSet("pets", tmp_path, {"cat/2a.png": "photo", "dog/2a.png": "photo"})
    names = [plain.folders.name_of(row) for row in range(len(plain.folders.files))]
    unit, unit_of_cut = (dict(zip(names, each.units.tolist(), strict=True)) for each in (plain, cut))
    assert unit["cat/0a.png"] == unit["cat/scaled.png"] != unit["cat/2a.png"]
    assert {name for name, number in unit.items() if number == UNUSED} == {
        "cat/1a.png",
        "dog/broken.png",
        "dog/cat.png",
    }
    assert unit["cat/2a.png"] != unit["dog/2a.png"]
    assert unit_of_cut["cat/2a.png"] == unit_of_cut["dog/2a.png"]
    assert plain.content == cut.content


def test_a_project_has_the_split_of_its_number(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(10):
        write(source, f"cat/{number % 5}/{number // 5}.png", seed=number)  # names that occur several times
        write(source, f"dog/{number}.png", seed=20 + number)
    before = sorted(path.relative_to(source) for path in source.rglob("*"))
    pictures = PictureSet("pets", source)
    for number, project in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        pictures.lay_out(Form(3, scored_per_class=4), number, project)
    assert {
        f"{folder.parent.name}/{folder.name}": len(list(folder.iterdir())) for folder in (tmp_path / "one").glob("*/*")
    } == {"train/cat": 3, "train/dog": 3, "test/cat": 4, "test/dog": 4}
    contents = [
        {path.read_bytes() for path in (tmp_path / name).rglob("*.png")}
        for name in ("one/train", "one/test", "two/train")
    ]
    assert not contents[0] & contents[1]
    assert contents[0] != contents[2]
    assert sorted(path.relative_to(source) for path in source.rglob("*")) == before


def test_sets_are_class_folders_boxes_and_drawn_digits(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / "pets", f"cat/{number}.png", seed=number)
        write(tmp_path / "pets", f"dog/{number}.png", seed=10 + number)
        write_photo(tmp_path / "blood", f"photo{number}", [("red", (0, 0, 20, 20)), ("white", (20, 0, 40, 20))])
    given = argparse.Namespace(
        datasets=[tmp_path / "pets", tmp_path / "blood"], drawn=["digits"], most_boxes=9, smoke=True
    )
    pets, blood, digits = recipes.sets_of(given, tmp_path / "made")
    assert [each.name for each in (pets, blood, digits)] == ["pets", "blood", "digits"]
    assert pets.folder == tmp_path / "pets"
    assert blood.folders.counts() == {"red": 2, "white": 2}
    assert set(blood.photo_of.values()) == {"photo0.png", "photo1.png"}
    assert len(digits.folders.files) == recipes.SMOKE_IMAGES


def test_the_command_line_names_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    def forms(*words: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["recipes", "--drawn", "digits", *words])
        return [form.name for form in recipes.forms_of(recipes.read_arguments())]

    assert forms() == ["all"]
    assert forms("--per-class", "40") == ["40 of a class"]
    assert forms("--shots", "2,40,all") == ["2 shots, 60 scored", "40 shots, 60 scored", "all"]
    for refused in (("--shots", "1"), ("--shots", "few"), ("--report-only",), ("--variant", "guide:epochs=1")):
        with pytest.raises(SystemExit):
            forms(*refused)
