"""What the objects of a project become on a disk. Their names may be anything."""

from __future__ import annotations

import pytest

from storage.object_store import ObjectInfo
from tests.sample_tasks import hex_id
from trainer_worker.checkouts.names import ProjectObjects, listed_files, sorted_out

T1 = hex_id("t1")


def sorted_names(*names: str, case_matters: bool = True, size_bytes: int = 5) -> ProjectObjects:
    return sorted_out([ObjectInfo(name, size_bytes, '"tag"', 1.0) for name in names], case_matters)


def test_the_workers_own_objects_are_told_from_the_users() -> None:
    model = f"models/{T1}/1-0123abcd/model.tflite"
    found = sorted_names(
        "models/cats/1.jpg",
        "models/latest",
        "models/.chosen-classification",
        f"models/{T1}/manifest.json",
        model,
        ".tfmodel/last/pictures.checkpoint",
        f".tfmodel/tasks/{T1}/log.txt",
        ".tfmodel/features/x/y",
        "a/b.jpg",
    )
    assert found.files.keys() == {"models/cats/1.jpg", "a/b.jpg"}
    assert found.links.keys() == {"latest", ".chosen-classification"}
    assert found.models.keys() == {T1}
    assert listed_files(found.models[T1], "1-0123abcd").keys() == {"model.tflite"}
    assert listed_files(found.models[T1], "2-0123abcd") == {}
    assert found.kept.keys() == {".tfmodel/last/pictures.checkpoint", f".tfmodel/tasks/{T1}/log.txt"}
    assert not found.odd


@pytest.mark.door(32)
@pytest.mark.parametrize(
    "name", ["../a.jpg", "a/../../b.jpg", "/etc/passwd", "a//b.jpg", "./a.jpg", "a/.", "\0.jpg", "", "x" * 256]
)
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    found = sorted_names(name, "good.jpg")
    assert found.files.keys() == {"good.jpg"}
    assert found.odd == [name]
    assert found.findings()[0].count == 1


def test_what_is_a_file_and_a_folder_at_once_below_the_kept_folder_is_ignored() -> None:
    checkpoints = f".tfmodel/tasks/{T1}/checkpoints"
    found = sorted_names(".tfmodel/last/a", ".tfmodel/last/a/b", checkpoints, f"{checkpoints}/1", "good.jpg")
    assert found.kept.keys() == {".tfmodel/last/a/b", f"{checkpoints}/1"}
    assert not found.odd


def test_markers_of_folders_are_folders() -> None:
    found = sorted_names("cats", "cats/1.jpg", "dogs", size_bytes=0)
    assert found.files.keys() == {"cats/1.jpg"}
    assert found.folders == {"cats", "dogs"}
    assert not found.odd


def test_where_case_does_not_matter_one_of_two_files_is_left_out() -> None:
    assert sorted_names("A.jpg", "a.jpg", "b.jpg", case_matters=False).odd == ["a.jpg"]
    assert not sorted_names("A.jpg", "a.jpg", "b.jpg").odd
    composed, decomposed = "caf\u00e9.jpg", "cafe\u0301.jpg"
    assert len(sorted_names(composed, decomposed, case_matters=False).odd) == 1


def test_litter_is_not_read_but_its_folder_is_there() -> None:
    found = sorted_names(".git/objects/ab/cdef", "cats/@eaDir/1.jpg", "cats/1.jpg")
    assert found.files.keys() == {"cats/1.jpg"}
    assert found.folders == {".git", "cats/@eaDir"}
