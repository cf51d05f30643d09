"""Classes from a list beside the pictures, whatever its columns and delimiter are called."""

from __future__ import annotations

import pytest

from protocol.errors import TrainingError
from tests.project_trees import codes, counts, pictures, split, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.tree import Tree


def error_of(tree: Tree) -> TrainingError:
    with pytest.raises(TrainingError) as caught:
        recognise_classes(tree)
    return caught.value


def rows(header: str, line: str, count: int = 6) -> str:
    """line: with {n} for the number and {kind} for cat or dog."""
    lines = (line.format(n=number, kind=("cat", "dog")[number % 2]) for number in range(count))
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows("image,label", "{n}.jpg,{kind}"), set()),
        (rows("\ufefffile;class", "{n}.jpg;{kind}"), set()),
        (rows("filename\tcategory", "{n}.jpg\t{kind}"), set()),
        (rows("path|target", "train/{n}.jpg|{kind}"), set()),
        (rows("id,breed", "{n},{kind}"), set()),
        (rows("image_id, Label, width", "{n}, {kind}, 5"), set()),
        (rows('"File Name","Class Name","class id"', '"{n}.jpg","{kind}","7"'), set()),
        (rows("id,file,label", "99{n},./{n}.jpg,{kind}"), set()),
        (rows("picture,what", "C:\\photos\\{n}.jpg,{kind}"), {"guessed_column"}),
        (rows("", "{n}.jpg,{kind}").lstrip("\n"), set()),
    ],
)
def test_a_list_gives_the_classes(text: str, said: set[str]) -> None:
    for around in ("train", "", "images"):
        layout = recognise_classes(tree_of(pictures(around, 6), texts={"labels.csv": text}))
        assert counts(layout) == {"cat": 3, "dog": 3}
        assert layout.name == "class_list"
        assert "labels.csv" in layout.rule
        assert codes(layout) == said


def test_one_column_a_class() -> None:
    text = "filename, cat, dog\n" + "".join(f"{n}.jpg, {n % 2}, {1 - n % 2}\n" for n in range(6))
    layout = recognise_classes(tree_of(pictures("train", 6), texts={"train/_classes.csv": text}))
    assert counts(layout) == {"cat": 3, "dog": 3}
    several = "filename,cat,dog\n" + "".join(f"{n}.jpg,1,1\n" for n in range(6))
    error = error_of(tree_of(pictures("train", 6), texts={"train/_classes.csv": several}))
    assert error.code == "layout_unsupported"
    assert "exactly one class" in error.error


def test_a_roboflow_export_of_one_column_a_class_has_its_split() -> None:
    text = "filename, cat, dog\n" + "".join(f"{n}.jpg, {n % 2}, {1 - n % 2}\n" for n in range(6))
    parts = ("train", "valid", "test")
    tree = tree_of(*(pictures(part, 6) for part in parts), texts={f"{part}/_classes.csv": text for part in parts})
    assert split(recognise_classes(tree)) == {"train": 6, "val": 6, "test": 6}


def test_lists_called_after_parts_give_the_split() -> None:
    texts = {"train.csv": rows("image,label", "{n}.jpg,{kind}"), "test.csv": rows("image,label", "{n}.jpg,{kind}")}
    layout = recognise_classes(tree_of(pictures("train", 6), pictures("test", 6), texts=texts))
    assert split(layout) == {"train": 6, "val": 0, "test": 6}


def test_a_list_of_a_part_is_read_whatever_its_columns_are_called() -> None:
    texts = {"train.csv": rows("image,label", "{n}.jpg,{kind}"), "test.csv": rows("image,truth", "{n}.jpg,{kind}")}
    layout = recognise_classes(tree_of(pictures("train", 6), pictures("test", 6), texts=texts))
    assert split(layout) == {"train": 6, "val": 0, "test": 6}


def test_pictures_in_an_images_folder_of_each_part_take_their_classes_from_lists() -> None:
    texts = {f"{part}/labels.csv": rows("image,label", "{n}.jpg,{kind}") for part in ("train", "test")}
    tree = tree_of(pictures("train/images", 6), pictures("test/images", 6), texts=texts)
    layout = recognise_classes(tree)
    assert counts(layout) == {"cat": 6, "dog": 6}
    assert split(layout) == {"train": 6, "val": 0, "test": 6}


def test_a_column_may_hold_the_split() -> None:
    text = "filepaths,labels,data set\n" + "".join(
        f"all/{n}.jpg,{'cd'[n % 2]},{('train', 'test')[n > 3]}\n" for n in range(8)
    )
    layout = recognise_classes(tree_of(pictures("all", 8), texts={"birds.csv": text}))
    assert split(layout) == {"train": 4, "val": 0, "test": 4}


def test_kaggles_unlabelled_test_pictures_and_example_are_not_used() -> None:
    texts = {
        "train.csv": rows("id,label", "{n},{kind}"),
        "sample_submission.csv": "id,label\n" + "".join(f"t{n},cat\n" for n in range(4)),
    }
    layout = recognise_classes(tree_of(pictures("train", 6), pictures("test", 4, "t{}.jpg"), texts=texts))
    assert counts(layout) == {"cat": 3, "dog": 3}
    assert codes(layout) == {"files_without_row", "other_files"}


def test_rows_and_files_that_do_not_meet_are_named() -> None:
    text = rows("image,label", "{n}.jpg,{kind}", 8) + "2.jpg,dog\n"
    layout = recognise_classes(tree_of(pictures("train", 6), ["train/extra.jpg"], texts={"train.csv": text}))
    found = {finding.code: finding.files for finding in layout.findings}
    assert found == {
        "rows_without_file": ("6.jpg", "7.jpg"),
        "files_without_row": ("train/extra.jpg",),
        "conflicting_rows": ("train/2.jpg",),
    }
    assert counts(layout) == {"cat": 2, "dog": 3}


def test_a_name_in_two_folders_is_not_guessed() -> None:
    text = rows("image,label", "{n}.jpg,{kind}")
    layout = recognise_classes(tree_of(pictures("train", 6), ["test/0.jpg"], texts={"labels.csv": text}))
    found = {finding.code: finding.files for finding in layout.findings}
    assert found == {"rows_with_several_files": ("0.jpg",), "files_without_row": ("test/0.jpg", "train/0.jpg")}
    assert counts(layout) == {"cat": 2, "dog": 3}
    error = error_of(tree_of(pictures("train", 6), pictures("test", 6), texts={"labels.csv": text}))
    assert error.code == "layout_unclear"
    assert "Write their folders into the list" in error.error


def test_a_list_that_contradicts_the_folders_stops() -> None:
    folders = [*pictures("part_1", 4), *pictures("part_2", 4, "1{}.jpg")]
    text = "image,label\n" + "".join(f"{path.split('/')[1]},{'ab'[n % 2]}\n" for n, path in enumerate(folders))
    error = error_of(tree_of(folders, texts={"labels.csv": text}))
    assert error.code == "layout_unclear"
    assert "labels.csv" in error.error
    agrees = "image,label\n" + "".join(f"{path},{path[5]}\n" for path in folders)
    assert recognise_classes(tree_of(folders, texts={"labels.csv": agrees})).labels == ("part_1", "part_2")


def test_a_list_without_a_column_of_classes_beside_folders_is_named() -> None:
    folders = [*pictures("part_1", 4), *pictures("part_2", 4, "1{}.jpg")]
    text = "Picture of,age,histology\n" + "".join(f"{path.split('/')[1]},3,mel\n" for path in folders)
    assert "unused_list" in codes(recognise_classes(tree_of(folders, texts={"metadata.csv": text})))


def test_attributes_in_columns_of_0_and_1_do_not_refuse_class_folders() -> None:
    folders = [*pictures("cat", 4), *pictures("dog", 4, "1{}.jpg")]
    text = "image_id,smiles,old\n" + "".join(f"{path.split('/')[1]},1,1\n" for path in folders)
    assert counts(recognise_classes(tree_of(folders, texts={"attributes.csv": text}))) == {"cat": 4, "dog": 4}


def test_prices_are_no_classes() -> None:
    text = "image,target\n" + "".join(f"{n}.jpg,{n * 1.7}\n" for n in range(12))
    assert error_of(tree_of(pictures("all", 12), texts={"a.csv": text})).code == "layout_unclear"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"\x00" * 100, b'"a,b\n' * 50, b"x\n1\n", "é,ü\n".encode("latin-1")]
)
def test_what_is_no_table_is_no_crash(content: bytes) -> None:
    tree = tree_of(pictures("images", 4), texts={"a.csv": ""})
    odd = Tree(tree.files, tree.folders, {"a.csv": content}.get)
    assert error_of(odd).code in ("no_images", "layout_unsupported")


def with_latin_1_list(tree: Tree, name: str = "labels.csv") -> Tree:
    """The tree with a list that a spreadsheet saved in the old character set of Western Europe."""
    files = dict(sorted({**tree.files, name: 30}.items()))
    content = "file,label\n0.jpg,m\xe9duse\n1.jpg,chat\n".encode("latin-1")
    return Tree(files, tree.folders, lambda path: content if path == name else tree.read_small(path))


def test_a_damaged_list_is_named_with_its_reason() -> None:
    error = error_of(with_latin_1_list(tree_of(pictures("images", 4))))
    assert error.code == "no_images"
    assert "labels.csv is not used: it is not UTF-8 text. If it lists the classes" in error.error
    folders = recognise_classes(with_latin_1_list(tree_of(pictures("cat", 4), pictures("dog", 4))))
    lists = with_latin_1_list(
        tree_of(pictures("", 6), texts={"train.csv": rows("image,label", "{n}.jpg,{kind}")}), "more.csv"
    )
    for layout, severity in ((folders, "info"), (recognise_classes(lists), "warning")):
        found = next(finding for finding in layout.findings if finding.code == "unreadable_list")
        assert (found.severity, found.cure) == (
            severity,
            "If it lists the classes of pictures, save it again as a CSV file in UTF-8.",
        )


def test_boxes_in_a_list_are_named() -> None:
    text = rows("filename,width,height,class,xmin,ymin,xmax,ymax", "{n}.jpg,9,9,{kind},1,1,2,2")
    error = error_of(tree_of(pictures("train", 6), texts={"train/_annotations.csv": text}))
    assert error.code == "layout_unsupported"
    assert "boxes" in error.error


def test_a_list_that_gives_a_folder_the_name_of_another_one_stops() -> None:
    text = "image,label\n" + "".join(f"cat/{n}.jpg,dog\n" for n in range(6))
    error = error_of(tree_of(pictures("cat", 6), pictures("dog", 6), texts={"labels.csv": text}))
    assert error.code == "layout_unclear"
    assert "labels.csv" in error.error


def test_two_lists_that_contradict_each_other_everywhere_stop() -> None:
    texts = {"a.csv": rows("image,label", "{n}.jpg,{kind}"), "b.csv": rows("image,label", "{n}.jpg,not a {kind}")}
    error = error_of(tree_of(pictures("images", 6), texts=texts))
    assert error.code == "layout_unclear"
    assert "a.csv, b.csv" in error.error
    assert "cat, not a cat to images/0.jpg" in error.error


def test_a_column_of_parts_is_the_split_whatever_it_is_called() -> None:
    text = "image,label,fold\n" + "".join(f"{n}.jpg,{'cd'[n % 2]},{('train', 'test')[n > 3]}\n" for n in range(8))
    layout = recognise_classes(tree_of(pictures("all", 8), texts={"birds.csv": text}))
    assert split(layout) == {"train": 4, "val": 0, "test": 4}


def test_lists_of_pictures_for_each_part_are_the_split() -> None:
    kinds = ("apple_pie", "ramen")
    train = "".join(f"{kind}/{n}\n" for kind in kinds for n in range(4))
    test = "".join(f"{kind}/{n}.jpg 1\n" for kind in kinds for n in range(4, 6))
    tree = tree_of(
        *(pictures(f"food/images/{kind}", 6) for kind in kinds),
        texts={"food/meta/train.txt": train, "food/meta/test.txt": test},
    )
    layout = recognise_classes(tree)
    assert split(layout) == {"train": 8, "val": 0, "test": 4}
    assert "The split is that of food/meta/test.txt, food/meta/train.txt." in layout.rule
    assert codes(layout) == {"callers_split"}


def test_a_list_of_parts_or_of_class_names_gives_no_classes() -> None:
    parts = "image_id,partition\n" + "".join(f"{n}.jpg,{n % 3}\n" for n in range(6))
    assert error_of(tree_of(pictures("images", 6), texts={"list_eval_partition.csv": parts})).code == "no_images"
    texts = {"labels.csv": rows("file,class_id", "{n}.jpg,{kind}"), "classes.csv": "id,name\n0,cat\n1,dog\n"}
    layout = recognise_classes(tree_of(pictures("images", 6), texts=texts))
    assert counts(layout) == {"cat": 3, "dog": 3}
    assert codes(layout) == {"other_files"}


def test_the_rule_names_the_column_of_the_classes() -> None:
    for header, column in (("image,age", "the column age"), ("image_id,choice,by", "the column choice")):
        text = rows(header, "{n}.jpg,{kind}" + ",me" * (header.count(",") - 1))
        layout = recognise_classes(tree_of(pictures("images", 6), texts={"labels.csv": text}))
        assert layout.rule.endswith(f"gives the class of each picture, in {column}.")


def test_labels_of_several_classes_are_named() -> None:
    text = "image,label\n" + "".join(f'{n}.jpg,"{("cat", "dog", "cat,dog", "dog|bird")[n % 4]}"\n' for n in range(8))
    layout = recognise_classes(tree_of(pictures("images", 8), texts={"labels.csv": text}))
    (found,) = layout.findings
    assert (found.code, found.count) == ("joined_classes", 4)
    assert "cat,dog, dog|bird. Their pictures: 4." in found.sentence
    text = rows("image,label", "{n}.jpg,salt & {kind}")
    assert not recognise_classes(tree_of(pictures("images", 6), texts={"labels.csv": text})).findings


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rows("picture of,findings,age", "{n}.jpg,{kind},3"), "none of its columns is called label or class"),
        (rows("0.jpg,1,2", "{n}.jpg,1,2"), "none of its columns is called label or class"),
        (rows("image,label", "photo{n}.jpg,{kind}"), "names no picture of the project: photo0.jpg is none"),
    ],
)
def test_why_a_list_says_nothing_is_told(text: str, reason: str) -> None:
    error = error_of(tree_of(pictures("images", 6), texts={"info.csv": text}))
    assert error.code == "no_images"
    assert f"info.csv {reason}" in error.error.replace("lists the pictures, but ", "")


def test_a_list_of_pictures_in_no_class_folder_is_named() -> None:
    text = "Path,ClassId\n" + "".join(f"Test/t{n}.jpg,cat\n" for n in range(3))
    tree = tree_of(
        pictures("Train/cat"), pictures("Train/dog"), pictures("Test", 3, "t{}.jpg"), texts={"Test.csv": text}
    )
    found = next(each for each in recognise_classes(tree).findings if each.code == "unused_list")
    assert "in no class folder to which Test.csv gives a class: 3." in found.sentence


def test_a_medical_list_that_contradicts_folders_of_pieces_stops() -> None:
    folders = [*pictures("images_001/images", 4), *pictures("images_002/images", 4, "1{}.jpg")]
    text = "Image Index,Finding Labels,Age\n" + "".join(
        f"{path.split('/')[2]},{('Hernia', 'No Finding')[n % 2]},50\n" for n, path in enumerate(folders)
    )
    error = error_of(tree_of(folders, texts={"Data_Entry.csv": text}))
    assert error.code == "layout_unclear"
    assert "Data_Entry.csv" in error.error
