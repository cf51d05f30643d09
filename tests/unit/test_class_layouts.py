"""Which class each picture belongs to, as folders really look; and what is refused because it is unclear."""

from __future__ import annotations

import os
import unicodedata

import pytest

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.processor_time import least_processor_s
from tests.project_trees import codes, counts, pictures, split, tree_of
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.tree import Tree


def error_of(tree: Tree) -> TrainingError:
    with pytest.raises(TrainingError) as caught:
        recognise_classes(tree)
    return caught.value


def cats_and_dogs(around: str = "", count: int = 3) -> list[str]:
    return [*pictures(f"{around}cat", count), *pictures(f"{around}dog", count)]


@pytest.mark.parametrize(
    "around",
    ["", "images/", "Images/", "IMAGES/", "PetImages/", "pets/images/", "a/b/c/", "train/", "data/train/images/"],
)
def test_class_folders_are_found_wherever_they_lie(around: str) -> None:
    layout = recognise_classes(tree_of(cats_and_dogs(around)))
    assert counts(layout) == {"cat": 3, "dog": 3}
    assert split(layout) == {"train": 0, "val": 0, "test": 0}
    assert layout.name == "class_folders"
    assert around.rstrip("/") in layout.rule
    assert not layout.findings


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "valid", "test"),
        ("training", "validation", "testing"),
        ("Train", "Val", "Test"),
        ("images/train", "images/val", "images/test"),
        ("pets/train", "pets/valid", "pets/test"),
        ("seg_train/seg_train", "seg_val/seg_val", "seg_test/seg_test"),
        ("train2017", "val2017", "test2017"),
        ("train/images", "val/images", "test/images"),
    ],
)
def test_the_callers_own_split_is_used(train: str, val: str, test: str) -> None:
    tree = tree_of(cats_and_dogs(f"{train}/", 4), cats_and_dogs(f"{val}/", 2), cats_and_dogs(f"{test}/", 1))
    layout = recognise_classes(tree)
    assert layout.labels == ("cat", "dog")
    assert split(layout) == {"train": 8, "val": 4, "test": 2}
    assert codes(layout) == {"callers_split"}
    assert "test is there to score the model" in layout.rule


def test_each_class_may_have_its_own_split() -> None:
    layout = recognise_classes(tree_of(*(pictures(f"{kind}/{part}") for kind in "ab" for part in ("train", "test"))))
    assert counts(layout) == {"a": 6, "b": 6}
    assert split(layout) == {"train": 6, "val": 0, "test": 6}


def test_without_a_test_part_validation_scores() -> None:
    layout = recognise_classes(tree_of(cats_and_dogs("train/"), cats_and_dogs("val/")))
    assert split(layout) == {"train": 6, "val": 6, "test": 0}
    assert "valid is there to score the model" in layout.rule


def test_classes_whose_names_hold_a_part_are_classes() -> None:
    layout = recognise_classes(tree_of(*map(pictures, ("train", "bus", "car"))))
    assert layout.labels == ("bus", "car", "train")
    assert recognise_classes(tree_of(*map(pictures, ("steam train", "bullet train")))).name == "class_folders"
    assert recognise_classes(tree_of(*map(pictures, ("train", "test tube", "car")))).name == "class_folders"


def test_capitals_may_differ_between_the_parts() -> None:
    layout = recognise_classes(tree_of(*map(pictures, ("train/Cat", "train/dog", "test/cat", "test/Dog"))))
    assert counts(layout) == {"Cat": 6, "dog": 6}
    assert codes(layout) == {"callers_split", "same_name_twice"}
    both = recognise_classes(tree_of(*map(pictures, ("train/Cat", "train/cat", "test/cat"))))
    assert both.labels == ("Cat", "cat")
    assert "case_twins" in codes(both)


def test_parts_without_a_class_in_common_stop_the_task() -> None:
    with pytest.raises(TrainingError, match=r"\(roses, tulips\)\. Give the folder of a class the same name") as error:
        recognise_classes(tree_of(*map(pictures, ("train/rose", "train/tulip", "test/roses", "test/tulips"))))
    assert error.value.code == "layout_unclear"


def test_a_class_that_only_one_part_has_is_named() -> None:
    tree = tree_of(cats_and_dogs("train/"), pictures("train/fish"), cats_and_dogs("test/"), pictures("test/bird", 2))
    layout = recognise_classes(tree)
    assert layout.labels == ("cat", "dog", "fish")
    found = {finding.code: finding for finding in layout.findings}
    assert "fish" in found["class_missing_in_test"].sentence
    assert found["class_missing_in_train"].files == ("test/bird/0.jpg", "test/bird/1.jpg")


def test_a_test_part_without_labels_is_left_out_and_named() -> None:
    for flat in ("test", "test/unknown", "test/test1"):
        layout = recognise_classes(tree_of(cats_and_dogs("train/"), pictures(flat, 5)))
        assert split(layout) == {"train": 0, "val": 0, "test": 0}
        assert counts(layout) == {"cat": 3, "dog": 3}
        assert codes(layout) & {"loose_pictures", "unused_pictures", "class_missing_in_train"}


def test_pictures_to_predict_beside_a_split_are_named() -> None:
    tree = tree_of(cats_and_dogs("seg_train/"), cats_and_dogs("seg_test/"), pictures("seg_pred"))
    assert codes(recognise_classes(tree)) == {"callers_split", "unused_pictures"}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([*cats_and_dogs("images/"), *pictures("bird")], "bird/ (3 pictures)"),
        ([*cats_and_dogs("train/"), *cats_and_dogs("test/"), *pictures("bird")], "bird/"),
        ([*cats_and_dogs("images/"), *cats_and_dogs("Images/")], "Images/, images/"),
    ],
)
def test_what_may_be_a_class_or_not_stops_with_its_name(names: list[str], says: str) -> None:
    error = error_of(tree_of(names))
    assert error.code == "layout_unclear"
    assert says in error.error
    assert "ut of the project" in error.error or "into one of them" in error.error


def test_subfolders_of_a_class_belong_to_it() -> None:
    same = recognise_classes(tree_of(*(pictures(f"{kind}/{day}") for kind in ("cat", "dog") for day in ("mon", "tue"))))
    assert counts(same) == {"cat": 6, "dog": 6}
    assert codes(same) == {"subfolders_joined"}
    (joined,) = same.findings
    assert joined.severity is Severity.WARNING
    assert "If they are the classes that you mean" in joined.cure
    other = recognise_classes(tree_of(*map(pictures, ("animals/cat", "animals/dog", "plants/fern", "plants/moss"))))
    assert counts(other) == {"animals": 6, "plants": 6}
    assert codes(other) == {"nested_classes"}
    assert counts(recognise_classes(tree_of(pictures("cat/cat"), pictures("dog/dog")))) == {"cat": 3, "dog": 3}


def test_a_split_without_a_part_to_train_on_stops() -> None:
    error = error_of(tree_of(cats_and_dogs("val/"), cats_and_dogs("test/")))
    assert error.code == "layout_unclear"
    assert "test/, val/" in error.error
    assert "Name the folder with the pictures to train on train/." in error.error


def test_a_folder_beside_a_split_may_be_a_part_in_another_language() -> None:
    error = error_of(tree_of(cats_and_dogs("Training/"), cats_and_dogs("Test/"), cats_and_dogs("Validierung/")))
    assert "Validierung/" in error.error
    assert "If it is a part as well, call it train, valid or test." in error.error


def test_the_rule_of_a_split_without_classes_to_score_with_says_so() -> None:
    layout = recognise_classes(tree_of(cats_and_dogs("train/"), pictures("val", 5)))
    assert split(layout) == {"train": 0, "val": 0, "test": 0}
    assert "valid scores" not in layout.rule
    assert "some of its pictures score the model instead" in layout.rule


def test_loose_pictures_are_named() -> None:
    for loose in ("cover.jpg", "images/cover.jpg"):
        layout = recognise_classes(tree_of(cats_and_dogs("images/"), [loose]))
        assert counts(layout) == {"cat": 3, "dog": 3}
        assert [(found.code, found.files) for found in layout.findings] == [("loose_pictures", (loose,))]
    layout = recognise_classes(tree_of(cats_and_dogs(), pictures("images", 2)))
    assert layout.labels == ("cat", "dog")
    assert codes(layout) == {"unused_pictures"}


def test_a_folder_may_serve_both_train_types() -> None:
    tree = tree_of(cats_and_dogs("images/"), pictures("images"), pictures("masks", 3, "{}_mask.png"))
    layout = recognise_classes(tree)
    assert counts(layout) == {"cat": 3, "dog": 3}
    assert codes(layout) == {"loose_pictures", "unused_pictures"}


def test_both_spellings_of_one_name_are_one_class() -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    layout = recognise_classes(tree_of(pictures(composed), pictures(decomposed), pictures("dog")))
    assert counts(layout) == {composed: 6, "dog": 3}
    assert codes(layout) == {"same_name_twice"}


def test_classes_that_differ_in_capitals_are_named() -> None:
    layout = recognise_classes(tree_of(*map(pictures, ("Cat", "cat", "dog "))))
    assert layout.labels == ("Cat", "cat", "dog ")
    assert [(found.code, found.severity) for found in layout.findings] == [("case_twins", "warning")]
    letters = recognise_classes(tree_of(pictures("a"), pictures("A")))
    assert [(found.code, found.severity) for found in letters.findings] == [("case_twins", "info")]


def test_a_name_that_is_not_utf8_is_a_class_of_its_own() -> None:
    latin, other = os.fsdecode(b"caf\xe9"), os.fsdecode(b"caf\xe8")
    layout = recognise_classes(tree_of(pictures(latin), pictures(other)))
    assert layout.labels == ("caf\\udce8", "caf\\udce9")
    assert {picture.path.split("/")[0] for picture in layout.pictures} == {latin, other}
    assert error_of(tree_of(pictures(latin), pictures("caf\\udce9"))).code == "layout_unclear"


def test_empty_classes_are_named() -> None:
    layout = recognise_classes(tree_of(cats_and_dogs("images/"), folders=["images/bird"]))
    assert layout.labels == ("cat", "dog")
    assert [(found.code, found.files) for found in layout.findings] == [("empty_classes", ("images/bird",))]
    beside = recognise_classes(tree_of(cats_and_dogs(), texts={"docs/a.txt": "x"}, folders=["bird"]))
    assert codes(beside) == {"empty_classes", "other_files"}


@pytest.mark.parametrize("name", ["models", ".net", "labels", "masks", "annotations", "images2", "no_mask"])
def test_odd_names_of_classes_are_classes(name: str) -> None:
    assert recognise_classes(tree_of(cats_and_dogs(), pictures(name))).labels == tuple(sorted(["cat", "dog", name]))


def test_a_folder_that_links_lead_into_is_no_class() -> None:
    linked = {
        f"images/{kind}/{number}.jpg": f"raw/{kind}{number}.jpg" for kind in ("cat", "dog") for number in range(3)
    }
    for raw in (linked.values(), [path.replace("raw/", "") for path in linked.values()]):
        to = dict(zip(linked, raw, strict=True))
        layout = recognise_classes(tree_of(to, to.values(), linked=to))
        assert counts(layout) == {"cat": 3, "dog": 3}
        assert not layout.findings
    without_images = {link.removeprefix("images/"): path for link, path in linked.items()}
    layout = recognise_classes(tree_of(without_images, linked.values(), linked=without_images))
    assert counts(layout) == {"cat": 3, "dog": 3}


def test_the_same_class_by_a_link_stops() -> None:
    linked = {f"newest/{number}.jpg": f"cat/{number}.jpg" for number in range(3)}
    error = error_of(tree_of(cats_and_dogs(), linked, linked=linked))
    assert error.code == "layout_unclear"
    assert "cat/, newest/" in error.error


@pytest.mark.parametrize("place", ["labels_info.txt", "images/labels_info.txt", "pets/images/Labels_Info.txt"])
def test_labels_info_is_found_in_the_folders_around(place: str) -> None:
    around = "pets/images/" if place.startswith("pets") else "images/"
    layout = recognise_classes(tree_of(cats_and_dogs(around), texts={place: "name,index\ndog,0\ncat,1\n"}))
    assert layout.labels == ("dog", "cat")
    assert [picture.label for picture in layout.pictures] == ["dog"] * 3 + ["cat"] * 3
    assert codes(layout) == (set() if place == "labels_info.txt" else {"labels_info_elsewhere"})


def test_two_lists_of_labels_that_differ_stop() -> None:
    texts = {"images/labels_info.txt": "x,y\ndog,0\ncat,1\n", "images/LABELS_INFO.txt": "x,y\ncat,0\ndog,1\n"}
    assert error_of(tree_of(cats_and_dogs("images/"), texts=texts)).code == "bad_labels_info"


def test_classes_in_names_only_are_told_how_to_become_folders() -> None:
    names = [f"{kind}.{number}.jpg" for kind in ("cat", "dog") for number in range(3)]
    for around in ("", "train/", "images/", "all/"):
        error = error_of(tree_of(f"{around}{name}" for name in names))
        assert error.code == "no_images"
        assert "begin with cat, dog: make one folder for each" in error.error


def test_parts_without_any_label_are_no_classes() -> None:
    error = error_of(tree_of(pictures("train"), pictures("test")))
    assert error.code == "no_images"
    assert "6 images lie there but not in class folders" in error.error


def test_what_lies_among_pictures_and_is_none_is_named() -> None:
    names = ["cat/a.svg", "cat/b.pdf", "more.zip", "cat/notes.txt"]
    layout = recognise_classes(tree_of(cats_and_dogs(), names))
    assert {found.code: found.files for found in layout.findings} == {
        "no_pictures": ("cat/a.svg", "cat/b.pdf"),
        "unused_archives": ("more.zip",),
        "other_files": ("cat/notes.txt",),
    }


@pytest.mark.parametrize(("classes", "each"), [(10, 5000), (2000, 25)])
def test_fifty_thousand_names_take_less_than_a_second(classes: int, each: int) -> None:
    tree = tree_of(*(pictures(f"images/{kind:04}", each) for kind in range(classes)))
    most_s = 0.9  # half of it on a machine without other work
    assert least_processor_s(lambda: recognise_classes(tree), most_s) <= most_s
    layout = recognise_classes(tree)
    assert len(layout.pictures) == 50_000
    assert layout.pictures[0].part is Part.ANY


def test_arrays_beside_class_folders_are_no_class() -> None:
    kinds = (f"101_ObjectCategories/{kind}" for kind in ("ant", "bee"))
    layout = recognise_classes(tree_of(*map(pictures, kinds), ["Annotations/ant/1.mat"]))
    assert counts(layout) == {"ant": 3, "bee": 3}


def test_folds_of_a_cross_validation_are_named_as_classes() -> None:
    folds = (f"fold{fold}/{part}/{kind}" for fold in range(3) for part in ("train", "val") for kind in ("cat", "dog"))
    layout = recognise_classes(tree_of(*map(pictures, folds)))
    assert codes(layout) == {"callers_split", "subfolders_joined"}


def test_folders_that_do_not_sound_like_a_class_are_named() -> None:
    layout = recognise_classes(tree_of(cats_and_dogs(), *map(pictures, ("New folder (2)", "_backup", "unlabelled"))))
    (found,) = layout.findings
    assert (found.code, found.severity) == ("doubtful_classes", Severity.WARNING)
    assert "New folder (2), _backup, unlabelled" in found.sentence
    assert not recognise_classes(tree_of(*map(pictures, ("old town", "new town", "trash", "rejected")))).findings


def test_files_that_were_never_transferred_whole_are_named() -> None:
    layout = recognise_classes(tree_of(cats_and_dogs(), ["cat/7.jpg.part", "dog/8.jpg.crdownload"]))
    (found,) = layout.findings
    assert (found.code, found.count) == ("unfinished_files", 2)


@pytest.mark.parametrize(
    "names",
    [
        ("part1", "part_2"),
        ("HAM10000_images_part_1", "HAM10000_images_part_2"),
        ("images_001", "images_002"),
        ("100APPLE", "101APPLE"),
        ("2024-05-01", "20240502"),
    ],
)
def test_folders_called_like_pieces_of_a_set_are_named(names: tuple[str, str]) -> None:
    (found,) = recognise_classes(tree_of(*map(pictures, names))).findings
    assert (found.code, found.severity) == ("doubtful_classes", Severity.WARNING)
    assert "pieces of a set, days, months, years or cameras" in found.sentence
    assert not recognise_classes(tree_of(*map(pictures, (names[0], "cat")))).findings


def test_banknotes_are_no_folders_of_a_camera() -> None:
    assert not recognise_classes(tree_of(*map(pictures, ("100euros", "200euros", "500euros")))).findings


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("cat - Copy", ()),
        ("cat (1)", ()),
        ("cat copy 2", ()),
        ("Copy of cat", ()),
        ("cat_test", ()),
        ("trainA", ("testA",)),
    ],
)
def test_copies_and_parts_of_classes_are_named(name: str, more: tuple[str, ...]) -> None:
    layout = recognise_classes(tree_of(cats_and_dogs(), pictures(name), *map(pictures, more)))
    (found,) = layout.findings
    assert found.code == "doubtful_classes"
    assert name in found.sentence
    for fine in ("bobcat", "cat 9", "testudo", "fish (1)", "test_tube"):
        assert not recognise_classes(tree_of(cats_and_dogs(), pictures(fine))).findings


def test_pictures_to_predict_in_a_folder_called_images_are_no_class() -> None:
    train = [*pictures("train/cat/images"), *pictures("train/dog/images")]
    layout = recognise_classes(tree_of(train, pictures("val/images"), pictures("test/images")))
    assert counts(layout) == {"cat": 3, "dog": 3}
    assert "Only the part that trains holds class folders" in layout.rule
    assert codes(layout) == {"unused_pictures"}


def test_classes_called_train_and_test_are_told_of_their_names() -> None:
    with pytest.raises(TrainingError, match="test/, train/ were taken for the parts of a split"):
        recognise_classes(tree_of(*map(pictures, ("train", "test", "masks"))))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("train/pets.tfrecord", "it is a TFRecord file"),
        ("train-images-idx3-ubyte", "it is a file of MNIST"),
        ("data.npz", "it is a file of NumPy arrays"),
        ("scan.nii.gz", "it is a NIfTI volume"),
        ("imagelabels.mat", "it is a MATLAB file"),
    ],
)
def test_what_may_hold_the_pictures_is_named(name: str, reason: str) -> None:
    with pytest.raises(TrainingError, match=reason) as caught:
        recognise_classes(tree_of([name, "train/pets_label_map.pbtxt"]))
    assert "there are no images there" in caught.value.error or ".gz" in name


@pytest.mark.parametrize(
    "name", ["labels.xlsx", "project-1.json", "labels.txt", "train/metadata.jsonl", "export.ndjson"]
)
def test_what_may_hold_the_classes_is_named(name: str) -> None:
    with pytest.raises(TrainingError, match=f"No classes are read from {name}"):
        recognise_classes(tree_of(pictures("images"), texts={name: "x"}))


def test_files_that_are_only_in_a_cloud_are_named() -> None:
    layout = recognise_classes(tree_of(cats_and_dogs(), ["cat/.IMG_1.JPG.icloud"]))
    assert codes(layout) == {"unfinished_files"}
