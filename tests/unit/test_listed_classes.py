"""What the owner of a list is told of the column that was taken, and of its labels."""

from __future__ import annotations

import time

import pytest

from protocol.data_report import Finding
from protocol.errors import TrainingError
from tests.project_trees import pictures, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.copied_names import originals_of, parts_of_classes
from trainer_worker.layouts.layout import LabelledFile
from trainer_worker.layouts.listed_classes import joined_classes

#: A stranger chooses labels. Each of these took minutes where a pattern went over the separators again and again.
MOST_SECONDS = 5.0


def findings_of(header: str, cells: list[str], name: str = "labels.csv") -> tuple[Finding, ...]:
    """cells: what stands behind the name of each picture, repeated for nine pictures."""
    rows = "".join(f"{number}.jpg,{cells[number % len(cells)]}\n" for number in range(9))
    return recognise_classes(tree_of(pictures("", 9), texts={name: f"{header}\n{rows}"})).findings


@pytest.mark.parametrize(
    ("labels", "code", "severity", "named"),
    [
        (["rose", "red rose"], "joined_classes", "info", "red rose"),
        (["rose", "red", "red rose"], "joined_classes", "warning", "red rose"),
        (["Rose", "rose"], "case_twins", "warning", "'Rose' and 'rose'"),
        (["café", "cafe"], "case_twins", "warning", "'cafe' and 'café'"),
        (["cat", "dog", "nan"], "doubtful_classes", "warning", "nan"),
        (["cat", "dog", "?"], "doubtful_classes", "warning", "?"),
        (["cat", "dog", "unlabeled"], "doubtful_classes", "warning", "unlabeled"),
        (["2023", "2024"], "doubtful_classes", "warning", "days, months, years or cameras"),
    ],
)
def test_labels_that_may_be_mistakes_are_named(labels: list[str], code: str, severity: str, named: str) -> None:
    (found,) = findings_of("file,label", labels)
    assert (found.code, found.severity) == (code, severity)
    assert named in found.sentence
    assert "folder" not in f"{found.sentence} {found.cure}"  # there are none


def test_labels_that_only_score_are_not_called_classes() -> None:
    cells = ["cat,train", "dog,train", "cat,test", "dog,test", "unknown,test", "cat+dog,test"]
    assert {found.code for found in findings_of("file,label,split", cells)} == {
        "callers_split",
        "class_missing_in_train",
    }


def test_of_several_columns_of_classes_the_one_that_is_used_is_named() -> None:
    (found,) = findings_of("file,species,breed", ["cat,siam", "cat,persian", "dog,collie"])
    assert (found.code, found.severity) == ("other_label_columns", "warning")
    assert "species is used, and breed is not" in found.sentence


@pytest.mark.parametrize("cells", [["0,cat", "1,dog"], ["pet,cat", "pet,dog"]])
def test_a_column_that_says_the_same_or_nothing_is_not_named(cells: list[str]) -> None:
    assert not findings_of("file,class_id,class_name", cells)


def test_a_guessed_column_is_named() -> None:
    (words,) = findings_of("Datei,Klasse", ["Hund", "Katze"])
    (numbers,) = findings_of("file,age", ["20", "21.5", "22"])
    assert (words.code, words.severity) == ("guessed_column", "info")
    assert (numbers.code, numbers.severity) == ("guessed_column", "warning")
    assert "column age" in numbers.sentence
    assert "no order" in numbers.sentence


def test_a_table_of_attributes_is_explained() -> None:
    with pytest.raises(
        TrainingError, match=r"each of its 3 columns of -1 and 1 .* keep the column of the files and one"
    ):
        findings_of("image_id,Male,Smiling,Young", ["-1,1,1", "1,1,-1", "-1,-1,1"], "list_attr_celeba.csv")


def test_columns_of_ones_are_no_attributes() -> None:
    with pytest.raises(TrainingError, match="none of its columns is called label or class") as error:
        findings_of("image_id,width,count,version", ["640,1,1"])
    assert "-1" not in error.value.error


def test_beside_class_folders_attributes_need_no_cure() -> None:
    rows = "".join(f"{kind}/{n}.jpg,-1,{(-1) ** n}\n" for kind in ("cat", "dog") for n in range(3))
    texts = {"list_attr.csv": f"image_id,Male,Young\n{rows}"}
    layout = recognise_classes(tree_of(pictures("cat"), pictures("dog"), texts=texts))
    (found,) = [each for each in layout.findings if each.code == "unused_list"]
    assert (found.severity, found.cure) == ("info", "")
    assert "2 columns of -1 and 1" in found.sentence
    assert "label" not in found.sentence


def test_a_list_that_is_not_read_is_named_beside_a_single_folder() -> None:
    lines = {"list_attr_celeba.txt": "3\nMale Young\n0.jpg -1 1\n"}
    with pytest.raises(TrainingError, match=r"No classes are read from list_attr_celeba\.txt"):
        recognise_classes(tree_of(pictures("img_align_celeba"), texts=lines))


@pytest.mark.parametrize("repeated", ["_", "_ ", "x (1", "part_", "copy ", "a"])
def test_many_long_names_are_looked_at_quickly(repeated: str) -> None:
    labels = {(repeated * 200)[:195] + f"{number:05d}" for number in range(3000)}
    begun_s = time.process_time()
    originals_of(labels)
    parts_of_classes(labels)
    assert time.process_time() - begun_s < MOST_SECONDS


def test_a_very_long_label_is_looked_at_quickly() -> None:
    rows = [LabelledFile("a.jpg", f"a{' ' * 50_000}b"), LabelledFile("b.jpg", "b")]
    begun_s = time.process_time()
    joined_classes(rows)
    assert time.process_time() - begun_s < MOST_SECONDS


def test_of_two_columns_called_like_parts_the_one_with_parts_counts() -> None:
    layout = recognise_classes(
        tree_of(
            pictures("", 8),
            texts={
                "labels.csv": "file,label,set,phase\n"
                + "".join(f"{n}.jpg,{'cat' if n % 2 else 'dog'},AB,{'test' if n < 2 else 'train'}\n" for n in range(8))
            },
        )
    )
    assert "callers_split" in {found.code for found in layout.findings}


@pytest.mark.parametrize(
    ("cells", "is_named"), [(["0.5", "0.75", "1.25"], True), (["1,500", "2,500", "10,000"], False)]
)
def test_decimals_without_a_header_are_named_and_thousands_are_none(cells: list[str], is_named: bool) -> None:
    rows = "".join(f'{number}.jpg,"{cells[number % 3]}"\n' for number in range(9))
    found = recognise_classes(tree_of(pictures("", 9), texts={"labels.csv": rows})).findings
    assert [finding.sentence for finding in found if finding.code == "measured_classes"] == [
        "Column 2 of labels.csv holds numbers with decimals, and each is a class of its own."
    ] * is_named
