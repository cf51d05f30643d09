"""The walk through a project: links, litter, our own output, odd names and bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from protocol.errors import TrainingError
from tests.sample_tasks import hex_id
from trainer_worker.layouts import tree as trees
from trainer_worker.layouts.tree import Tree, walk
from trainer_worker.pictures.user_files import UserFiles


def fill(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"abc")


def walked(root: Path) -> Tree:
    return walk(UserFiles.at(root.resolve()))


def reasons(tree: Tree) -> dict[str, str]:
    return {skip.file: skip.reason for skip in tree.skipped}


def codes(tree: Tree) -> dict[str, tuple[str, ...]]:
    return {finding.code: finding.files for finding in tree.findings}


def test_files_have_sizes_and_folders_are_listed_when_empty(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.jpg", "a/1.jpg", "train.csv")
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    tree = walked(tmp_path)
    assert tree.files == {"a/1.jpg": 3, "b/2.jpg": 3, "train.csv": 3}
    assert tree.folders == ("a", "b", "empty", "empty/deeper")
    assert [tree.folders_in(""), tree.files_in("a"), list(tree.files_below(""))] == [
        ["a", "b", "empty"],
        ["a/1.jpg"],
        ["train.csv", "a/1.jpg", "b/2.jpg"],
    ]
    assert tree.read_small("train.csv") == b"abc"
    assert tree.read_small("missing") is None
    assert not tree.findings


def test_links_within_the_project_are_followed_and_known(tmp_path: Path) -> None:
    fill(tmp_path, "pool/1.jpg", "pool/deep/2.jpg")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "one.jpg").symlink_to("../pool/1.jpg")
    (tmp_path / "images" / "all").symlink_to("../pool")
    tree = walked(tmp_path)
    assert tree.files.keys() == {
        *("pool/1.jpg", "pool/deep/2.jpg", "images/one.jpg", "images/all/1.jpg", "images/all/deep/2.jpg")
    }
    assert tree.linked == {
        "images/one.jpg": "pool/1.jpg",
        "images/all/1.jpg": "pool/1.jpg",
        "images/all/deep/2.jpg": "pool/deep/2.jpg",
    }
    assert not tree.findings


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "again").symlink_to("a")
    tree = walked(tmp_path)
    assert {"a/1.jpg", "b/2.jpg", "a/b/2.jpg"} <= tree.files.keys()
    assert len(tree.files) < 20
    assert codes(tree).keys() == {"links_lead_nowhere"}
    assert {"a/up", "a/self", "loop"} <= reasons(tree).keys()


def test_each_folder_is_entered_by_one_link_only(tmp_path: Path) -> None:
    fill(tmp_path, "pool/1.jpg")
    for name in ("x", "y"):
        (tmp_path / name).symlink_to("pool")
    tree = walked(tmp_path)
    assert tree.files.keys() == {"pool/1.jpg", "x/1.jpg"}
    assert reasons(tree) == {"y": "it is another link to a folder that a link leads to already"}


def test_what_leads_out_and_what_is_no_file_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "outside/secret.jpg", "project/cat/1.jpg")
    project = tmp_path / "project"
    (project / "cat" / "out.jpg").symlink_to("../../outside/secret.jpg")
    (project / "out").symlink_to("../outside")
    (project / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(project / "cat" / "pipe.jpg")
    tree = walked(project)
    assert tree.files == {"cat/1.jpg": 3}
    assert codes(tree) == {
        "links_leave_project": ("cat/out.jpg", "out"),
        "links_lead_nowhere": ("gone.jpg",),
        "special_files": ("cat/pipe.jpg",),
    }


def test_litter_is_left_out_and_hidden_classes_are_not(tmp_path: Path) -> None:
    litter = ("#recycle", "@eaDir", "$RECYCLE.BIN", "lost+found", "__MACOSX", "System Volume Information")
    hidden = (".git", ".Trash-1000", ".ipynb_checkpoints", ".tfmodel", ".cache")
    fill(tmp_path, "cat/1.jpg", ".net/1.jpg", "cat/.DS_Store", "cat/Thumbs.db", "cat/._1.jpg", "cat/1.jpg~")
    fill(tmp_path, "cat/_DS_Store", "cat/~$notes.docx", "cat/.2.jpg.icloud")
    fill(tmp_path, *(f"{place}{name}/x/1.jpg" for name in (*litter, *hidden) for place in ("", "cat/")))
    (tmp_path / "trash").symlink_to("#recycle/x")
    tree = walked(tmp_path)
    assert tree.files.keys() == {".net/1.jpg", "cat/1.jpg", "cat/.2.jpg.icloud"}  # 2.jpg is meant, and missing
    assert [(finding.code, finding.count) for finding in tree.findings] == [("litter", 2 * len(litter))]


def test_a_class_called_models_is_told_from_our_output(tmp_path: Path) -> None:
    ours = [f"models/{hex_id('t1')}/manifest.json", f"models/.{hex_id('t2')}.1.partial/model.tflite"]
    fill(tmp_path, "cat/1.jpg", *ours)
    (tmp_path / "models" / "latest").symlink_to(hex_id("t1"))
    (tmp_path / "newest").symlink_to("models/latest")
    assert walked(tmp_path).files.keys() == {"cat/1.jpg"}
    assert walked(tmp_path).folders == ("cat",)
    fill(tmp_path, "models/1.jpg", f"pets/models/{hex_id('t3')}/1.jpg")
    tree = walked(tmp_path)
    assert tree.files.keys() == {"cat/1.jpg", "models/1.jpg", f"pets/models/{hex_id('t3')}/1.jpg"}
    assert not tree.findings


def test_names_that_are_not_utf8_are_kept_and_shown_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    fill(tmp_path, name)
    tree = walked(tmp_path)
    assert list(tree.files) == [name]
    assert codes(tree) == {"names_not_utf8": ("caf\\udce9.jpg",)}


def test_too_deep_and_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "/".join(["d"] * 50 + ["1.jpg"]), "a/1.jpg")
    tree = walked(tmp_path)
    assert tree.files.keys() == {"a/1.jpg"}
    assert codes(tree).keys() == {"too_deep"}
    monkeypatch.setattr(trees, "MAX_ENTRIES", 10)
    with pytest.raises(TrainingError) as caught:
        walked(tmp_path)
    assert caught.value.code == "layout_unsupported"


def test_a_walk_can_be_ended(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def tell() -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        walk(UserFiles.at(tmp_path.resolve()), tell)
