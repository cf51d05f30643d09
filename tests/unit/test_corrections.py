"""corrections.csv is applied to every layout by one mechanism, and is never taken for anything else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.project_trees import codes, counts, pictures, split, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.corrections import LEFT_OUT
from trainer_worker.layouts.layout import ClassLayout, MaskLayout
from trainer_worker.layouts.masks import recognise_masks
from trainer_worker.layouts.tree import Tree

FOLDERS = (pictures("images/cat", 4), pictures("images/dog", 3))
SPLIT = (pictures("train/cat"), pictures("train/dog"), pictures("test/cat", 1), pictures("test/dog", 1))
PAIRS = (pictures("images", 6), pictures("masks", 6, "{}.png"))


def corrected(*rows: str, tree: Tree | None = None, name: str = "corrections.csv") -> Tree:
    """The class folders, or a tree, with these rows."""
    text = "\n".join(["picture,action,label", *rows])
    base = tree or tree_of(*FOLDERS)
    content: Mapping[str, bytes] = {name: text.encode()}
    files = dict(sorted({**base.files, name: len(text)}.items()))
    return Tree(files, base.folders, lambda path: content.get(path) or base.read_small(path), linked=base.linked)


def sentence(layout: ClassLayout | MaskLayout, code: str) -> str:
    return next(found.sentence for found in layout.findings if found.code == code)


def test_pictures_are_left_out_moved_and_confirmed() -> None:
    rows = (
        "images/cat/0.jpg,exclude,",
        "images/cat/1.jpg,label,dog",
        "images/dog/2.jpg,keep,",
        "images/dog/1.jpg,label,dog",
    )
    layout = recognise_classes(corrected(*rows))
    assert counts(layout) == {"cat": 2, "dog": 4}
    assert [(file.path, file.reason) for file in layout.unused] == [("images/cat/0.jpg", LEFT_OUT)]
    assert layout.looked_at == {"images/cat/1.jpg", "images/dog/1.jpg", "images/dog/2.jpg"}
    assert codes(layout) == {"corrections"}
    (found,) = layout.findings
    assert found.severity is Severity.INFO
    assert found.sentence == (
        "corrections.csv leaves out 1 picture, moves 1 picture to another class and confirms 2 pictures."
    )
    assert found.files == ("images/cat/0.jpg", "images/cat/1.jpg")


def test_without_the_file_nothing_changes_and_without_rows_nothing_is_said() -> None:
    assert recognise_classes(corrected()) == recognise_classes(tree_of(*FOLDERS))


@pytest.mark.parametrize(
    "tree",
    [
        tree_of(*SPLIT),
        tree_of(*SPLIT, texts={"labels_info.txt": "name,index\ncat,1\ndog,0"}),
        tree_of(
            [path.replace("/", "_") for group in SPLIT for path in group],
            texts={
                "labels.csv": "file,label,split\n"
                + "".join(f"{p.replace('/', '_')},{p.split('/')[1]},{p.split('/')[0]}\n" for g in SPLIT for p in g)
            },
        ),
    ],
    ids=["folders", "labels_info", "list"],
)
def test_a_split_of_the_folders_own_is_kept(tree: Tree) -> None:
    sign = "/" if "train/cat/0.jpg" in tree.files else "_"
    rows = (
        f"train{sign}cat{sign}0.jpg,label,dog",
        f"train{sign}cat{sign}1.jpg,exclude",
        f"test{sign}cat{sign}0.jpg,label,dog",
    )
    layout = recognise_classes(corrected(*rows, tree=tree))
    assert counts(layout) == {"cat": 1, "dog": 6}
    assert split(layout) == {"train": 5, "val": 0, "test": 2}
    assert codes(layout) == {"corrections", "callers_split", "class_missing_in_test"}
    assert "5 pictures train the model and 2 (test) score it" in sentence(layout, "callers_split")


def test_what_does_not_fit_is_named_with_its_line() -> None:
    rows = (
        "images/cat/9.jpg,exclude,",
        "images/cat/1.jpg,label,bird",
        "images/cat/2.jpg,throw away,",
        "images/dog/0.jpg,exclude,",
    )
    layout = recognise_classes(corrected(*rows))
    assert counts(layout) == {"cat": 4, "dog": 2}
    assert codes(layout) == {"corrections", "corrections_not_used"}
    said = sentence(layout, "corrections_not_used")
    for words in ("line 4 has the action 'throw away'", "line 2 names images/cat/9.jpg", "line 3 moves", "'bird'"):
        assert words in said
    assert said.startswith("Rows of corrections.csv that are not used: 3.")


def test_names_are_compared_as_layouts_compare_them() -> None:
    tree = tree_of(pictures("cafe\u0301"), pictures("Dog"), pictures("caf\udce9/sub", 1))
    rows = (
        "caf\u00e9/0.jpg,exclude",
        ".\\cafe\u0301\\1.jpg,label,dog",
        "caf\\udce9/sub/0.jpg,label,CAF\u00c9",
        " Dog/0.jpg ,label,caf\u00e9 ",
    )
    layout = recognise_classes(corrected(*rows, tree=tree))
    assert codes(layout) >= {"corrections"}
    assert "corrections_not_used" not in codes(layout)
    assert {picture.path: picture.label for picture in layout.pictures} == {
        "cafe\u0301/1.jpg": "Dog",
        "cafe\u0301/2.jpg": "caf\u00e9",
        "caf\udce9/sub/0.jpg": "caf\u00e9",
        "Dog/0.jpg": "caf\u00e9",
        "Dog/1.jpg": "Dog",
        "Dog/2.jpg": "Dog",
    }


def test_a_name_that_fits_two_pictures_fits_none_unless_it_is_exact() -> None:
    tree = tree_of(pictures("x/cafe\u0301"), pictures("x/caf\u00e9"), pictures("x/dog"))
    layout = recognise_classes(corrected("x/cafe\u0301/0.jpg,exclude", "./x/caf\u00e9/1.jpg,exclude", tree=tree))
    assert {file.path for file in layout.unused} == {"x/cafe\u0301/0.jpg", "x/caf\u00e9/1.jpg"}


def test_the_later_of_two_rows_counts_and_a_contradiction_is_said() -> None:
    rows = ("images/cat/0.jpg,exclude,", "images/cat/1.jpg,keep,", "./images/cat/0.jpg,keep,", "images/cat/1.jpg,keep,")
    layout = recognise_classes(corrected(*rows))
    assert counts(layout) == {"cat": 4, "dog": 3}
    assert codes(layout) == {"corrections", "corrections_contradict"}
    assert "images/cat/0.jpg (lines 2 and 4)" in sentence(layout, "corrections_contradict")


def test_a_class_that_loses_all_its_pictures_is_left_out_with_a_sentence() -> None:
    tree = tree_of(*FOLDERS, pictures("images/bird", 2), texts={"labels_info.txt": "name,index\ncat,0\nbird,1\ndog,2"})
    rows = ("images/bird/0.jpg,exclude,", "images/bird/1.jpg,label,cat")
    layout = recognise_classes(corrected(*rows, tree=tree))
    assert layout.labels == ("cat", "dog")
    assert "left out: bird" in sentence(layout, "classes_corrected_away")
    assert codes(layout) == {"corrections", "classes_corrected_away"}


def test_too_little_that_is_left_is_refused_with_the_reason() -> None:
    rows = [f"images/dog/{number}.jpg,exclude," for number in range(3)]
    with pytest.raises(TrainingError, match=r"leaves out 3 pictures\. That leaves only the class cat") as caught:
        recognise_classes(corrected(*rows))
    assert caught.value.code == "too_few_classes"


def test_the_part_that_scores_never_trains_whatever_is_left_out() -> None:
    rows = [f"train/{label}/{number}.jpg,exclude," for label in ("cat", "dog") for number in range(3)]
    with pytest.raises(TrainingError, match="That leaves no class with pictures to train on"):
        recognise_classes(corrected(*rows, tree=tree_of(*SPLIT)))


def test_a_part_that_loses_all_its_pictures_is_said_to_score_nothing() -> None:
    layout = recognise_classes(corrected("test/cat/0.jpg,exclude", "test/dog/0.jpg,exclude", tree=tree_of(*SPLIT)))
    assert split(layout) == {"train": 6, "val": 0, "test": 0}
    assert codes(layout) == {"corrections", "part_corrected_away"}


def test_a_picture_without_a_class_can_be_given_one() -> None:
    tree = tree_of(*FOLDERS, ["images/loose.jpg", "images/blurred.jpg"], folders=["images/bird"])
    assert codes(recognise_classes(tree)) == {"loose_pictures", "empty_classes"}
    rows = ("images/loose.jpg,label,bird", "images/cat/0.jpg,label,bird", "images/blurred.jpg,exclude,")
    layout = recognise_classes(corrected(*rows, tree=tree))
    assert counts(layout) == {"bird": 2, "cat": 3, "dog": 3}
    assert codes(layout) == {"corrections"}
    kept = recognise_classes(corrected("images/loose.jpg,keep", tree=tree))
    assert "line 2 keeps images/loose.jpg, which has no class" in sentence(kept, "corrections_not_used")


def test_pictures_that_a_list_leaves_out_can_be_given_a_class() -> None:
    text = "file,label\n0.jpg,cat\n1.jpg,cat\n2.jpg,dog\n3.jpg,dog\n4.jpg,dog\n4.jpg,cat\n5.jpg,\n"
    tree = tree_of(pictures("", 8), texts={"labels.csv": text})
    left_out = {"conflicting_rows", "rows_without_class", "files_without_row"}
    assert codes(recognise_classes(tree)) == left_out
    rows = ("4.jpg,label,cat", "5.jpg,label,dog", "6.jpg,exclude", "7.jpg,label,cat")
    layout = recognise_classes(corrected(*rows, tree=tree))
    assert counts(layout) == {"cat": 4, "dog": 3}
    assert codes(layout) == {"corrections"}


@pytest.mark.parametrize("name", ["images/corrections.csv", "Corrections.CSV"])
def test_the_file_in_another_place_is_not_used_and_said(name: str) -> None:
    rows = [f"images/{label}/0.jpg,label,cat" for label in ("cat", "dog")]
    layout = recognise_classes(corrected(*rows, name=name))
    assert counts(layout) == {"cat": 4, "dog": 3}
    assert codes(layout) == {"corrections_elsewhere"}
    assert name in sentence(layout, "corrections_elsewhere")


def test_it_is_no_list_of_labels_of_pictures_in_no_folders() -> None:
    rows = [f"{number}.jpg,label,{'cat' if number % 2 else 'dog'}" for number in range(6)]
    with pytest.raises(TrainingError) as caught:
        recognise_classes(corrected(*rows, tree=tree_of(pictures("", 6))))
    assert caught.value.code == "no_images"
    text = "file,label\n" + "".join(f"{number}.jpg,{'ab'[number % 2]}\n" for number in range(6))
    tree = tree_of(pictures("", 6), texts={"labels.csv": text})
    assert counts(recognise_classes(corrected("0.jpg,label,b", tree=tree))) == {"a": 2, "b": 4}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("image,label\nimages/cat/0.jpg,dog", "first line must be"),
        ("\x00\ud800", "not UTF-8"),
        ("x" * 9_000_000, "8 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_used_and_said(text: str, why: str) -> None:
    tree = tree_of(*FOLDERS)
    files = {**tree.files, "corrections.csv": len(text)}
    content = {"corrections.csv": text.encode("utf-8", "surrogatepass")}
    layout = recognise_classes(Tree(files, tree.folders, content.get))
    assert counts(layout) == {"cat": 4, "dog": 3}
    assert codes(layout) == {"unreadable_corrections"}
    assert why in sentence(layout, "unreadable_corrections")


def test_pictures_with_masks_can_be_left_out() -> None:
    rows = (
        "images/0.jpg,exclude,",
        "images/1.jpg,keep,",
        "images/2.jpg,label,cat",
        "masks/3.png,exclude,",
        "images/7.jpg,exclude",
    )
    tree = tree_of(*PAIRS, ["images/7.jpg"])
    layout = recognise_masks(corrected(*rows, tree=tree))
    assert [picture.path for picture in layout.pictures] == pictures("images", 6)[1:]
    assert ("images/0.jpg", LEFT_OUT) in {(file.path, file.reason) for file in layout.unused}
    said = sentence(layout, "corrections_not_used")
    assert "line 4 gives images/2.jpg a class" in said
    assert "line 5 names masks/3.png, which is no picture with a mask" in said
    assert sentence(layout, "corrections") == "corrections.csv leaves out 1 picture and confirms 1 picture."


def test_masks_with_a_split_of_their_own_lose_a_part_with_a_sentence() -> None:
    parts = [path for part in ("train", "test") for path in (*pictures(f"{part}/images"), *pictures(f"{part}/masks"))]
    rows = [f"test/images/{number}.jpg,exclude" for number in range(3)]
    layout = recognise_masks(corrected(*rows, tree=tree_of(parts)))
    assert {picture.part for picture in layout.pictures} == {"train"}
    assert "test scores" not in layout.rule
    assert "test" in sentence(layout, "part_corrected_away")


def test_long_names_leave_room_for_the_reason() -> None:
    rows = [f"{'x' * 4000}{number}.jpg,exclude" for number in range(3)]
    said = sentence(recognise_classes(corrected(*rows)), "corrections_not_used")
    assert said.count("there is no such picture") == 3
