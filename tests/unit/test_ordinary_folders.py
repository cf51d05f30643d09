"""Ordinary class folders and lists train without a finding, and mistaken ones never train in silence."""

from __future__ import annotations

import pytest

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.project_trees import codes, counts, pictures, split, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.layout import ClassLayout
from trainer_worker.layouts.tree import Tree


def layout_of(*names: str) -> ClassLayout:
    return recognise_classes(tree_of(*map(pictures, names)))


def listed(*labels: str) -> Tree:
    """A list that gives three pictures to each label."""
    cells = [label for label in labels for _ in range(3)]
    rows = "".join(f'{number}.jpg,"{label}"\n' for number, label in enumerate(cells))
    return tree_of(pictures("", len(cells)), texts={"labels.csv": f"file,label\n{rows}"})


@pytest.mark.parametrize(
    "names",
    [
        ("a3", "a4", "a5"),
        ("iphone 12", "iphone 13", "iphone 13 pro", "iphone SE"),
        ("Golf 1998", "Golf 2005", "Focus 2011"),
        ("golf1", "golf2", "golf3"),
        ("208", "308", "2008", "3008"),
        ("737", "747", "777", "a320", "a330-200"),
        ("I", "II", "III", "IV"),
        ("type I", "type II"),
        ("猫", "狗", "鸟"),
        ("قطة", "كلب"),
        ("か", "が"),
        ("가", "각"),
        ("a", "b", "c"),
        ("0", "1", "2", "10"),
        ("00", "01", "02"),
        ("-1", "0", "+1"),
        ("A", "A+", "A-", "B"),
        ("C", "C#", "C++"),
        ("5", "10", "20", "50", "100", "200", "1000", "2000"),
        ("1c", "2c", "10c"),
        ("S", "M", "L", "XL", "XXL"),
        ("size 36", "size 37", "size 38"),
        ("m3x10", "m3x12"),
        ("Mentha x piperita", "Mentha × gracilis", "Mentha spicata"),
        ("Rosa 'Peace'", "Rosa 'Iceberg'"),
        ("sp. 1", "sp. 2"),
        ("christmas 2023", "easter 2023"),
        ("1960s", "1970s"),
        ("Monday", "Tuesday"),
        ("speed limit 30", "speed limit 50", "speed limit 100"),
        ("001.Black_footed_Albatross", "002.Laysan_Albatross"),
        ("rose (1)", "tulip (1)"),
        ("grade 1", "grade 2", "grade 3"),
        ("hard copy", "soft copy", "slide"),
    ],
)
def test_ordinary_names_of_classes_need_no_finding(names: tuple[str, ...]) -> None:
    for layout in (layout_of(*names), recognise_classes(listed(*names))):
        assert counts(layout) == dict.fromkeys(names, 3)
        assert not layout.findings


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (("cat (1)", "cat (2)", "dog"), "cat (1), cat (2)"),
        (("cat - Copy", "cat - Copy (2)", "dog"), "cat - Copy, cat - Copy (2)"),
        (("cat_part1", "cat_part2", "dog"), "cat_part1, cat_part2"),
        (("cat", "cat_flipped", "dog"), "cat_flipped"),
        (("cat", "dog", "New Folder - Copy"), "New Folder - Copy"),
        (("cat", "dog", "Новая папка (2)"), "Новая папка (2)"),
        (("猫", "狗", "未分类"), "未分类"),
        (("cat", "dog", "zu sortieren"), "zu sortieren"),
        (("cat", "dog", "predictions"), "predictions"),
        (("train", "eval"), "eval"),
        (("images_001", "images_002", "images_003", "extra"), "Most classes are called like pieces of a set"),
    ],
)
def test_names_that_are_no_classes_are_named(names: tuple[str, ...], named: str) -> None:
    (found,) = layout_of(*names).findings
    assert (found.code, found.severity) == ("doubtful_classes", Severity.WARNING)
    assert named in found.sentence


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (("train", "test"), "doubtful_classes"),
        (("cat;dog", "cat;bird", "fish|dog"), "joined_classes"),
        (("['cat', 'dog']", "['cat']"), "joined_classes"),
        (("0.5", "0.75", "1.0"), "measured_classes"),
        (("cat", "dog", "#N/A"), "doubtful_classes"),
        (("cat", "dog", "unsure"), "doubtful_classes"),
        (("cat", "cat.", "dog"), "case_twins"),
        (("cat", "'cat'", "dog"), "case_twins"),
    ],
)
def test_labels_that_are_no_classes_are_named(labels: tuple[str, ...], code: str) -> None:
    (found,) = recognise_classes(listed(*labels)).findings
    assert (found.code, found.severity) == (code, Severity.WARNING)
    assert not recognise_classes(listed("1.0", "2.0", "3.0")).findings


@pytest.mark.parametrize("inside", ["cat/dog", "cat/unsorted", "cat/Rejected"])
def test_folders_of_other_classes_inside_of_a_class_are_named(inside: str) -> None:
    (found,) = layout_of("cat", "dog", inside).findings
    assert (found.code, found.severity, found.files) == ("doubtful_subfolders", "warning", (inside,))
    assert not layout_of("cat", "dog", "cat/cat", "cat/indoors").findings


def test_a_class_of_scans_is_named() -> None:
    layout = recognise_classes(tree_of(pictures("cat"), pictures("dog"), pictures("bird", 3, "{}.pdf")))
    assert "empty_classes" in codes(layout)


def test_a_list_of_too_many_labels_says_what_helps() -> None:
    cells = ("cat", "cat", "dog", "dog", "bird")
    rows = "".join(f"{number}.jpg,{label}\n" for number, label in enumerate(cells))
    with pytest.raises(TrainingError, match=r"each class needs several\. Call the column .*, or add pictures"):
        recognise_classes(tree_of(pictures("", 5), texts={"labels.csv": f"file,label\n{rows}"}))


CATS_AND_DOGS = [f"{kind}/{number}.jpg" for kind in ("cat", "dog") for number in range(3)]


@pytest.mark.parametrize(
    "texts",
    [
        {
            "labels.csv": "file,label,split\n"
            + "".join(f"{p},{p[:3]},{'test' if '2' in p else 'train'}\n" for p in CATS_AND_DOGS)
        },
        {"split.csv": "file,split\n" + "".join(f"{p},{'test' if '2' in p else 'train'}\n" for p in CATS_AND_DOGS)},
        {
            "train.csv": "file,label\ncat/0.jpg,cat\ndog/0.jpg,dog\n",
            "test.csv": "file,label\ncat/1.jpg,cat\ndog/1.jpg,dog\n",
        },
        {"test.txt": "cat/2.jpg\ndog/2.jpg\n"},
        {"train.txt": "cat/0.jpg\n", "test.txt": "dog/2.jpg\n"},
    ],
)
def test_a_split_in_lists_that_is_not_used_is_named(texts: dict[str, str]) -> None:
    layout = recognise_classes(tree_of(CATS_AND_DOGS, texts=texts))
    (found,) = [each for each in layout.findings if each.severity == "warning"]
    assert (found.code, sorted(found.files)) == ("unused_parts", sorted(texts))


def test_a_list_in_train_txt_alone_is_no_split() -> None:
    texts = {"train.txt": "".join(f"{path} 0\n" for path in CATS_AND_DOGS)}
    assert codes(recognise_classes(tree_of(CATS_AND_DOGS, texts=texts))) == {"other_files"}


def test_numbers_of_folds_beside_class_folders_are_no_other_classes() -> None:
    texts = {
        "folds.csv": "file,fold\n" + "".join(f"{path},{number % 3}\n" for number, path in enumerate(CATS_AND_DOGS))
    }
    (found,) = [each for each in recognise_classes(tree_of(CATS_AND_DOGS, texts=texts)).findings if each.cure]
    assert found.code == "unused_list"
    swapped = {
        "what.csv": "file,what\n" + "".join(f"{path},{'cat' if '1' in path else 'dog'}\n" for path in CATS_AND_DOGS)
    }
    with pytest.raises(TrainingError, match="give the pictures different classes"):
        recognise_classes(tree_of(CATS_AND_DOGS, texts=swapped))


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (("train", "holdout"), "holdout"),
        (("0", "1"), "0, 1"),
        (("Training", "PublicTest"), "PublicTest"),
        (("val", "test"), "are not used"),
        (("test", "test"), "are not used"),
    ],
)
def test_a_column_of_parts_that_is_no_split_is_named(parts: tuple[str, str], named: str) -> None:
    rows = "".join(f"{number}.jpg,{'cat' if number % 2 else 'dog'},{parts[number % 4 > 1]}\n" for number in range(8))
    layout = recognise_classes(tree_of(pictures("", 8), texts={"labels.csv": f"file,label,split\n{rows}"}))
    (found,) = layout.findings
    assert (found.code, found.severity) == ("unused_parts", Severity.WARNING)
    assert named in found.sentence


def test_a_picture_that_lists_name_in_two_parts_never_trains() -> None:
    lines = [f"{number}.jpg,{'cat' if number % 2 else 'dog'}\n" for number in range(9)]
    texts = {"train.csv": "file,label\n" + "".join(lines[:6]), "test.csv": "file,label\n" + "".join(lines[4:])}
    layout = recognise_classes(tree_of(pictures("", 9), texts=texts))
    assert split(layout) == {"train": 4, "val": 0, "test": 5}
