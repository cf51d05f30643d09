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


def test_names_that_only_resemble_a_version_are_fine() -> None:
    assert not layout_of("rose", "tulip", "old oak", "rosette", "b2", "b12", "type 1", "type 2").findings


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


@pytest.mark.parametrize("names", [("café", "cafe"), ("red_rose", "Red-Rose"), ("rose", "roses")])
def test_names_that_look_alike_are_named(names: tuple[str, str]) -> None:
    (found,) = layout_of(*names, "oak").findings
    assert (found.code, found.severity) == ("case_twins", "warning")
    assert repr(names[0]) in found.sentence
    assert repr(names[1]) in found.sentence


def test_signs_of_other_scripts_are_no_accents() -> None:
    assert not layout_of("कल", "काल", "かき", "がき").findings


def test_the_parts_of_a_split_may_separate_words_differently() -> None:
    layout = layout_of("train/red_rose", "train/tulip", "test/Red Rose", "test/tulip")
    assert layout.labels == ("red_rose", "tulip")
    assert codes(layout) == {"callers_split", "same_name_twice"}


def test_signs_at_the_ends_tell_classes_apart() -> None:
    assert alike_form("Red_Rose") == alike_form("red rose ")
    assert len({*map(alike_form, ("-1", "1", "0", "A", "A-", "A+"))}) == 6


def test_many_long_names_take_no_time() -> None:
    """The number of names and the blanks in one of them once made this slow."""
    began_s = time.process_time()
    doubtful_names({f"label {number}" for number in range(20_000)} | {f"rose{' ' * 20_000}old"}, CURES_OF_LISTS)
    assert time.process_time() - began_s < 5
