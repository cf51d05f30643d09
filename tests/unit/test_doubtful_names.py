"""Names of classes that may be a mistake: their owner is told, and they stay classes."""

from __future__ import annotations

import time

import pytest

from tests.project_trees import codes, pictures, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.doubtful_names import CURES_OF_LISTS, alike_form, doubtful_names
from trainer_worker.layouts.layout import ClassLayout


def layout_of(*names: str) -> ClassLayout:
    return recognise_classes(tree_of(*map(pictures, names)))


@pytest.mark.parametrize(
    "name",
    ["no_label", "to_sort", "Undefined", "Screenshots", "WhatsApp Images", "Papierkorb", "thumbnails", "augmented"],
)
def test_a_folder_of_what_has_no_class_is_named(name: str) -> None:
    (found,) = layout_of("cat", "dog", name).findings
    assert (found.code, found.severity) == ("doubtful_classes", "warning")
    assert name in found.sentence


@pytest.mark.parametrize("name", ["other", "misc", "_unknown", "none", "new"])
def test_a_name_that_may_be_a_class_is_no_warning(name: str) -> None:
    (found,) = layout_of("cat", "dog", name).findings
    assert (found.code, found.severity) == ("doubtful_classes", "info")
    assert name in found.sentence


def test_folders_of_a_class_that_only_scores_are_not_called_a_class() -> None:
    names = ("train/cat", "train/dog", "test/cat", "test/dog", "test/unknown/a", "test/unknown/b", "test/cat (1)")
    assert codes(layout_of(*names)) == {"callers_split", "class_missing_in_train"}


@pytest.mark.parametrize(
    "name",
    [
        "rose_old",
        "old rose",
        "rose.bak",
        "rose2",
        "rose_1",
        "Copia de rose",
        "rose (Kopie)",
        "rose_resized",
        "rose のコピー",
        "Kopie von Rose",
    ],
)
def test_versions_of_a_class_are_named(name: str) -> None:
    (found,) = layout_of("rose", "tulip", name).findings
    assert (found.code, found.severity) == ("doubtful_classes", "warning")
    assert name in found.sentence


@pytest.mark.parametrize(("original", "copy"), [("old oak", "old oak (1)"), ("a  b", "a b (1)"), ("100", "100 (1)")])
def test_copies_of_names_with_several_words_or_numbers_are_named(original: str, copy: str) -> None:
    (found,) = layout_of("rose", original, copy).findings
    assert (found.code, found.severity) == ("doubtful_classes", "warning")
    assert found.sentence.endswith(f": {copy}.")


@pytest.mark.parametrize(
    "names",
    [
        ("rose", "tulip", "old oak", "rosette", "b2", "b12", "type 1", "type 2"),
        ("1000", "2000", "200", "100"),
        ("person1", "person10", "person100", "person_1_1", "person_1"),
        ("class 100", "class 1000", "class 1001"),
    ],
)
def test_names_that_only_resemble_a_version_are_fine(names: tuple[str, ...]) -> None:
    assert not layout_of(*names).findings


@pytest.mark.parametrize(
    "names",
    [
        ("Photos from 2023", "Photos from 2024"),
        ("2023", "2024"),
    ],
)
def test_years_are_named(names: tuple[str, str]) -> None:
    (found,) = layout_of(*names).findings
    assert (found.code, found.severity) == ("doubtful_classes", "warning")
    assert "months, years or cameras" in found.sentence


@pytest.mark.parametrize(
    "names", [("café", "cafe"), ("red_rose", "Red-Rose"), ("no.1", "no 1"), ("a b", "a  b"), ("rose", "roses")]
)
def test_names_that_look_alike_are_named(names: tuple[str, str]) -> None:
    (found,) = layout_of(*names, "oak").findings
    assert (found.code, found.severity) == ("case_twins", "warning")
    assert repr(names[0]) in found.sentence
    assert repr(names[1]) in found.sentence
    assert "spaces, hyphens, underscores, dots and quotes" in found.sentence


def test_signs_of_other_scripts_are_no_accents() -> None:
    assert not layout_of("कल", "काल", "かき", "がき").findings


def test_the_parts_of_a_split_may_separate_words_differently() -> None:
    layout = layout_of("train/red_rose", "train/tulip", "test/Red Rose", "test/tulip")
    assert layout.labels == ("red_rose", "tulip")
    found = {finding.code: finding.sentence for finding in layout.findings}
    assert found.keys() == {"callers_split", "same_name_twice"}
    assert found["same_name_twice"] == "Folders whose names are spelled in two ways are one class: red_rose."


def test_signs_at_the_ends_tell_classes_apart() -> None:
    assert alike_form("Red_Rose") == alike_form("red rose ")
    assert len({*map(alike_form, ("-1", "1", "0", "A", "A-", "A+"))}) == 6


def test_many_long_names_take_no_time() -> None:
    """The number of names and the blanks in one of them once made this slow."""
    began_s = time.process_time()
    doubtful_names({f"label {number}" for number in range(20_000)} | {f"rose{' ' * 20_000}old"}, CURES_OF_LISTS)
    assert time.process_time() - began_s < 5
