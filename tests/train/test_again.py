"""A second task on the same folder computes only what has changed."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from protocol.options import ClassificationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.train.digit_projects import SIZE, digit_file, write_digits
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.classification import features
from trainer_worker.classification import train as classification
from trainer_worker.pictures.images import Box, PictureReader, read_rgb


class Stopped(SilentReporter):
    """Asks every training to stop before its first step."""

    @property
    def stop_requested(self) -> bool:
        return True


def task(project: Path, task_id: str, reporter: SilentReporter | None = None, **options: Any) -> dict[str, Any]:
    """Its manifest and metrics in one."""
    job = Job(
        hex_id(task_id),
        1,
        open_project(project),
        "classification",
        ClassificationOptions(image_size=SIZE, exports=("tflite",), **options),
    )
    folder = classification.train(
        Attempt(job, reporter or SilentReporter(), project.parent / "cache", 2)
    ).model_path.parent
    texts = [(folder / name).read_text() for name in ("metrics.json", "manifest.json")]
    return {**json.loads(texts[0]), **json.loads(texts[1])}


def files_of(project: Path) -> list[Path]:
    return sorted(path.relative_to(project) for path in (project / "images").rglob("*.png"))


@pytest.mark.slow
def test_a_few_more_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    write_digits(project, range(240))
    first = task(project, "first")
    assert first["continued_from"] is None

    read: list[str] = []

    def counting(reader: PictureReader, path: Path, size: tuple[int, int], box: Box) -> Any:
        read.append(path.name)
        return read_rgb(reader, path, size, box)

    monkeypatch.setattr(features, "read_rgb", counting)
    write_digits(project, range(240, 252))
    second = task(project, "second")
    assert set(read) == {f"{row}.png" for row in range(240, 252)}
    assert second["continued_from"] == hex_id("first")
    held_out = [{entry["file"] for entry in run["held_out"]} for run in (first, second)]
    assert held_out[0] < held_out[1]
    new = {digit_file(Path(), row).as_posix() for row in range(240, 252)}
    assert held_out[1] - held_out[0] <= new, "what was trained on must not score"
    assert second["final"]["accuracy"] >= first["final"]["accuracy"] - 0.05
    assert len(second["history"]) < len(first["history"]), "it is trained on for a while, and not from the start"

    read.clear()
    third = task(project, "third", seed=2)
    assert third["continued_from"] is None, "another seed trains from the start, on the same features"
    assert {digit_file(Path(), int(name[:-4])).as_posix() for name in read} <= held_out[1]

    read.clear()
    scored = {entry["file"] for entry in third["held_out"]}
    excluded, moved = (next(path for path in sorted(scored) if path.startswith(f"images/{label}/")) for label in "01")
    kept = next(path for path in map(str, files_of(project)) if path not in scored)
    rows = [f"{excluded},exclude,", f"{moved},label,2", f"{kept},keep,"]
    (project / "corrections.csv").write_text("\n".join(["picture,action,label", *rows, ""]))
    fourth = task(project, "fourth", seed=2)
    assert fourth["continued_from"] == hex_id("third"), "nothing was taken back of what has trained"
    assert not read
    counts = Counter(path.parent.name for path in files_of(project))
    counts.subtract("01")
    assert fourth["images_per_class"] == {**counts, "2": counts["2"] + 1}
    assert fourth["skipped"] == 1
    entries = {entry["file"]: entry["truth"] for entry in fourth["held_out"]}
    assert entries.keys() == scored - {excluded}
    assert entries[moved] == "2"
    assert not {entry["file"] for entry in fourth["suspect_labels"]} & {moved, kept}
    (said,) = (found for found in fourth["data_report"]["findings"] if found["code"] == "corrections")
    assert said["sentence"] == (
        "corrections.csv leaves out 1 picture, moves 1 picture to another class and confirms 1 picture."
    )


@pytest.mark.slow
def test_a_few_more_photos_of_a_small_set_with_a_split_of_its_own(tmp_path: Path) -> None:
    """Its score needs no cross-validation, so its training continues like that of a large set."""
    project = tmp_path / "project"
    for part, rows in {"train": range(48), "test": range(48, 66)}.items():
        write_digits(tmp_path / part, rows)
        shutil.copytree(tmp_path / part / "images", project / part)
    first = task(project, "first")
    assert first["score"]["method"] == "held_out"
    write_digits(tmp_path / "more", range(66, 72))
    shutil.copytree(tmp_path / "more" / "images", project / "train", dirs_exist_ok=True)
    second = task(project, "second")
    assert second["continued_from"] == hex_id("first")
    assert [entry["file"] for entry in second["held_out"]] == [entry["file"] for entry in first["held_out"]]

    stopped = task(project, "third", Stopped(), seed=2)
    assert (stopped["end_reason"], len(stopped["history"])) == ("stopped", 0)
    write_digits(tmp_path / "yet more", range(72, 78))
    shutil.copytree(tmp_path / "yet more" / "images", project / "train", dirs_exist_ok=True)
    fourth = task(project, "fourth", seed=2)
    assert fourth["continued_from"] is None, "layers that have learned nothing are trained from the start"
    assert len(fourth["history"]) > len(second["history"])
