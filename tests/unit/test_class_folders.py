"""Class folders as users lay them out, and what they are told when they are wrong."""

from pathlib import Path

import pytest

from protocol.errors import TrainingError
from trainer_worker.classification.folders import keep_trainable, scan_class_folders
from trainer_worker.pictures.images import UnreadableImageError
from trainer_worker.pictures.user_files import UserFiles


def _folders(root: Path, **counts: int) -> None:
    """Class folders with so many files; scanning doesn't open them."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.jpg").write_bytes(b"")


def _error(project: Path) -> TrainingError:
    with pytest.raises(TrainingError) as caught:
        scan_class_folders(UserFiles.at(project))
    return caught.value


@pytest.mark.parametrize("inside", ["images", "."])
def test_labels_are_the_folder_names_sorted(tmp_path: Path, inside: str) -> None:
    _folders(tmp_path / inside, roses=2, daisy=3)

    folders = scan_class_folders(UserFiles.at(tmp_path))

    assert folders.labels == ("daisy", "roses")
    assert folders.classes.tolist() == [0, 0, 0, 1, 1]
    assert [path.parent.name for path in folders.files] == ["daisy"] * 3 + ["roses"] * 2


def test_what_is_not_a_class_is_ignored(tmp_path: Path) -> None:
    _folders(tmp_path, daisy=2, roses=2, notes=0, **{".cache": 2, "__MACOSX": 2, f"models/{'a' * 32}": 5})

    assert scan_class_folders(UserFiles.at(tmp_path)).labels == ("daisy", "roses")


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    _folders(tmp_path / "project", daisy=2, roses=2)
    _folders(tmp_path / "elsewhere", secret=2)
    (tmp_path / "project" / "secret").symlink_to(tmp_path / "elsewhere" / "secret")

    assert scan_class_folders(UserFiles.at(tmp_path / "project")).labels == ("daisy", "roses")


def test_loose_images_are_counted_in_the_error(tmp_path: Path) -> None:
    _folders(tmp_path, images=3)
    error = _error(tmp_path)

    assert error.code == "no_images"
    assert "3 images lie there but not in class folders" in error.error


def test_an_empty_project_has_no_images(tmp_path: Path) -> None:
    assert _error(tmp_path).code == "no_images"


@pytest.mark.parametrize(
    "text",
    ["name,index\nroses,0\ndaisy,1\n", "\ufeffLabel, Index\r\ndaisy, 1\r\n\r\nroses, 0\r\n", "roses,0\ndaisy,1"],
)
def test_labels_info_fixes_the_order(tmp_path: Path, text: str) -> None:
    _folders(tmp_path / "images", roses=2, daisy=3)
    (tmp_path / "labels_info.txt").write_text(text, encoding="utf-8")

    folders = scan_class_folders(UserFiles.at(tmp_path))

    assert folders.labels == ("roses", "daisy")
    assert folders.classes.tolist() == [0, 0, 1, 1, 1]


def test_a_label_may_hold_a_comma(tmp_path: Path) -> None:
    _folders(tmp_path, **{"red, dark": 2, "blue": 2})
    (tmp_path / "labels_info.txt").write_text('name,index\n"red, dark",0\nblue,1\n', encoding="utf-8")

    assert scan_class_folders(UserFiles.at(tmp_path)).labels == ("red, dark", "blue")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("daisy,0\nroses,0", "index 0 to both 'daisy' and 'roses'"),
        ("daisy,0\ndaisy,1", "'daisy' twice"),
        ("daisy,0\nroses,2", "missing: 1"),
        ("daisy,1\nroses,2", "missing: 0"),
        ("daisy,0\nroses,1\ntulips,2", "lists tulips, but there is no such class with images"),
        ("daisy,0", "does not list roses, which is a class"),
        ("daisy,zero\nroses,1", "'daisy,zero' in line 2"),
        ("daisy,-1\nroses,1", "'daisy,-1' in line 2"),
        ("", "lists no labels"),
    ],
)
def test_wrong_labels_info_is_explained(tmp_path: Path, lines: str, says: str) -> None:
    _folders(tmp_path / "images", roses=2, daisy=2)
    (tmp_path / "labels_info.txt").write_text(f"name,index\n{lines}\n", encoding="utf-8")

    error = _error(tmp_path)

    assert error.code == "bad_labels_info"
    assert says in error.error


def test_labels_info_that_is_not_text_is_explained(tmp_path: Path) -> None:
    _folders(tmp_path, roses=2, daisy=2)
    (tmp_path / "labels_info.txt").write_bytes(b"\xff\xfe\x00")

    assert "UTF-8" in _error(tmp_path).error


def test_a_class_of_one_is_left_out_with_a_warning(tmp_path: Path) -> None:
    _folders(tmp_path / "images", ants=1, bees=2, cows=3, dogs=0)

    kept = keep_trainable(scan_class_folders(UserFiles.at(tmp_path)), {})

    assert kept.counts() == {"bees": 2, "cows": 3}
    assert kept.classes.tolist() == [0, 0, 1, 1, 1]
    told = kept.report().warnings()
    assert ["dogs" in told[0], "'ants'" in told[1], len(told)] == [True, True, 2]


def test_unreadable_files_do_not_count(tmp_path: Path) -> None:
    _folders(tmp_path, ants=2, bees=3, cows=3)
    folders = scan_class_folders(UserFiles.at(tmp_path))

    kept = keep_trainable(folders, {0: UnreadableImageError(folders.files[0], "the file is empty")})

    assert kept.labels == ("bees", "cows")
    assert set(kept.files) == {path for path in folders.files if path.parent.name != "ants"}


def test_too_few_classes_names_classes_and_files(tmp_path: Path) -> None:
    _folders(tmp_path, ants=14, bees=3)
    folders = scan_class_folders(UserFiles.at(tmp_path))
    unreadable = {row: UnreadableImageError(folders.files[row], "the file is empty") for row in range(13)}

    with pytest.raises(TrainingError) as caught:
        keep_trainable(folders, unreadable)

    assert caught.value.code == "too_few_classes"
    assert "ants: 1, bees: 3" in caught.value.error
    assert "0.jpg: the file is empty" in caught.value.error
    assert "and 3 more" in caught.value.error


def test_nothing_readable_is_no_images(tmp_path: Path) -> None:
    _folders(tmp_path, ants=2, bees=2)
    folders = scan_class_folders(UserFiles.at(tmp_path))

    with pytest.raises(TrainingError) as caught:
        keep_trainable(folders, {row: UnreadableImageError(path, "empty") for row, path in enumerate(folders.files)})

    assert caught.value.code == "no_images"


def test_too_few_images_name_what_was_skipped_and_the_cure(tmp_path: Path) -> None:
    _folders(tmp_path / "images", cats=2)
    (tmp_path / "images" / "dogs").symlink_to("/etc")
    with pytest.raises(TrainingError) as caught:
        keep_trainable(scan_class_folders(UserFiles.at(tmp_path)), {})
    assert "images/dogs: it is a link that leads out of the project" in caught.value.error
    assert caught.value.error.endswith("Replace these files, or add images.")


def test_what_the_callers_split_does_is_said_of_readable_pictures(tmp_path: Path) -> None:
    _folders(tmp_path / "train", daisy=3, roses=3)
    _folders(tmp_path / "test", daisy=2, roses=2)
    folders = scan_class_folders(UserFiles.at(tmp_path))
    unreadable = {
        row: UnreadableImageError(path, "it is damaged")
        for row, path in enumerate(folders.files)
        if path.is_relative_to(tmp_path / "test")
    }
    said = {found.code: found.sentence for found in keep_trainable(folders, unreadable).findings}
    assert "callers_split" not in said
    assert "some of the other pictures are held out" in said["scoring_part_unreadable"]

    del unreadable[min(unreadable)]
    said = {found.code: found.sentence for found in keep_trainable(folders, unreadable).findings}
    assert "6 pictures train the model and 1 (test) score it" in said["callers_split"]
    assert "roses" in said["class_missing_in_test"]


def test_a_part_whose_only_class_is_left_out_is_not_called_unreadable(tmp_path: Path) -> None:
    _folders(tmp_path / "train", daisy=3, roses=1, tulips=3)
    _folders(tmp_path / "test", roses=2)
    folders = scan_class_folders(UserFiles.at(tmp_path))
    damaged = [row for row, path in enumerate(folders.files) if path.is_relative_to(tmp_path / "train/roses")]
    kept = keep_trainable(folders, {row: UnreadableImageError(folders.files[row], "it is damaged") for row in damaged})
    said = {found.code: found.sentence for found in kept.findings}
    assert kept.labels == ("daisy", "tulips")
    assert said.keys() == {"class_left_out", "scoring_part_left_out"}
    assert "some of the other pictures are held out" in said["scoring_part_left_out"]


@pytest.mark.parametrize("name", ["unknown", "Tulips", "tulips (1)"])
def test_nothing_is_said_of_the_name_of_a_class_that_is_left_out(tmp_path: Path, name: str) -> None:
    _folders(tmp_path, **{"daisy": 2, "tulips": 2, name: 1})
    folders = scan_class_folders(UserFiles.at(tmp_path))
    assert {found.code for found in folders.findings} & {"doubtful_classes", "case_twins"}
    assert {found.code for found in keep_trainable(folders, {}).findings} == {"class_left_out"}


def test_nothing_is_said_of_a_joined_label_that_is_left_out(tmp_path: Path) -> None:
    _folders(tmp_path, photos=6)
    labels = ["cat", "cat", "dog", "dog", "dog", "cat,dog"]
    rows = "".join(f'{number}.jpg,"{label}"\n' for number, label in enumerate(labels))
    (tmp_path / "labels.csv").write_text(f"file,label\n{rows}", encoding="utf-8")
    folders = scan_class_folders(UserFiles.at(tmp_path))
    assert [found.code for found in folders.findings] == ["joined_classes"]
    assert [found.code for found in keep_trainable(folders, {}).findings] == ["class_left_out"]
