"""models/latest moves to a new model only if that isn't worse on the held-out pictures that both models have."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol.comparison import Comparison
from tests.project_folders import open_project, read_manifest
from tests.sample_tasks import hex_id
from tests.unit.test_paired_test import mcnemar
from trainer_worker.project.continuation import LastTraining
from trainer_worker.project.gate import Gate
from trainer_worker.project.held_out import MAX_TRUTH_CHARS, HeldOutScores, PictureScore
from trainer_worker.project.latest import finish_publication
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import AlreadyPublishedError, finished_model

OLD, NEW, THIRD = (hex_id(name) for name in ("old", "new", "third"))


def content(number: int) -> str:
    return f"{number:064x}"


def scores(right: range, of: range, truths: Mapping[int, str] | None = None) -> HeldOutScores:
    """Of a classifier that has the pictures `right` right, of those that it has held out."""
    labels = [(truths or {}).get(number, "cat") for number in of]
    return HeldOutScores.of("accuracy", [content(n) for n in of], labels, [float(n in right) for n in of])


def publish(project: Path, task_id: str, held_out: HeldOutScores | None, **more: Any) -> Comparison | None:
    """As trainers do; returns what was found."""
    train_type, always = more.pop("train_type", "classification"), more.pop("always", False)
    with open_project(project) as opened, ModelFolder(opened, task_id, 1) as folder:
        gate = Gate(opened, train_type, always)
        comparison = gate.compare(held_out)
        (project / "model.tflite").write_bytes(b"weights")
        with (project / "model.tflite").open("rb") as file:
            folder.add("model.tflite", file)
        if held_out is not None:
            (project / "held_out.json").write_bytes(held_out.encoded())
            with (project / "held_out.json").open("rb") as file:
                folder.add("held_out.json", file)
        promoted = comparison is None or comparison.promoted
        verdict = {"promoted": promoted, "comparison": msgspec.to_builtins(comparison)}
        folder.publish({"model_file": "model.tflite", "train_type": train_type, **verdict, **more})
    return comparison


def latest(project: Path) -> str:
    return os.fspath((project / "models" / "latest").readlink())


def gate_of(project: Path, train_type: str = "classification") -> Gate:
    return Gate(open_project(project), train_type)


def test_the_first_model_is_compared_with_none(tmp_path: Path) -> None:
    assert publish(tmp_path, OLD, scores(range(5), range(20))) is None
    assert latest(tmp_path) == OLD


def test_a_worse_model_is_published_but_not_promoted(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(52), range(60)))
    # Pictures 3 to 59 score both; 46 and 49 of them are right.
    found = publish(tmp_path, NEW, scores(range(3, 40), range(3, 80)))
    assert found is not None
    assert latest(tmp_path) == OLD
    assert (found.with_task, found.pictures, found.promoted) == (OLD, 57, False)
    assert (found.now_only_right, found.before_only_right) == (0, 12)
    assert [found.score_now, found.score_before] == pytest.approx([37 / 57, 49 / 57])
    assert found.p_value == pytest.approx(mcnemar(0, 12))
    expected = (
        f"This model is worse than the one of task {OLD} on the 57 pictures that scored both (37 against 49 right, "
        "p = 0.00024), so models/latest was not moved to it. Post the task again with promote=always to move it."
    )
    assert found.warnings == [found.sentence] == [expected]
    manifest = read_manifest(tmp_path / "models" / NEW)
    assert manifest is not None
    assert manifest["promoted"] is False
    assert msgspec.convert(manifest["comparison"], Comparison) == found


def test_a_model_that_is_not_worse_beyond_chance_is_promoted(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(52), range(60)))
    found = publish(tmp_path, NEW, scores(range(49), range(60)))
    assert found is not None
    assert latest(tmp_path) == NEW
    assert "49 against 52 right, p = 0.12" in found.sentence
    assert found.warnings == []


def test_promote_always_moves_the_link_and_says_that_the_model_is_worse(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(50), range(60)))
    found = publish(tmp_path, NEW, scores(range(10), range(60)), always=True)
    assert found is not None
    assert latest(tmp_path) == NEW
    assert found.promoted
    assert "is worse" in found.sentence
    assert "promote=always" in found.sentence
    assert found.p_value < 0.05


@pytest.mark.parametrize(
    ("held_out", "shared"),
    [
        (scores(range(0), range(57, 90)), 3),
        (scores(range(0), range(100, 160)), 0),
        (scores(range(0), range(60), dict.fromkeys(range(57), "dog")), 3),
        (HeldOutScores("dice", scores(range(0), range(60)).pictures), 0),
        (None, 0),
    ],
    ids=["few shared", "none shared", "other labels", "another measure", "nothing known"],
)
def test_too_few_shared_pictures_promote_and_say_so(
    tmp_path: Path, held_out: HeldOutScores | None, shared: int
) -> None:
    publish(tmp_path, OLD, scores(range(60), range(60)))
    found = publish(tmp_path, NEW, held_out)
    assert found is not None
    assert (found.pictures, found.promoted, latest(tmp_path)) == (shared, True, NEW)
    assert "too few to tell" in found.sentence
    assert (found.score_now is None) == (shared == 0)


def test_masks_are_compared_by_their_dice(tmp_path: Path) -> None:
    def of(dice: float) -> HeldOutScores:
        names = [content(n) for n in range(12)]
        return HeldOutScores.of("dice", names, [content(n) for n in range(12)], [dice + n / 100 for n in range(12)])

    publish(tmp_path, OLD, of(0.7), train_type="segmentation")
    found = publish(tmp_path, NEW, of(0.6), train_type="segmentation")
    assert found is not None
    assert (found.promoted, found.now_only_right, found.before_only_right) == (False, 0, 12)
    assert "dice 65.5 % against 75.5 %, p = 0.00024" in found.sentence


def test_each_train_type_is_compared_with_its_own_models(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(50), range(60)))
    assert publish(tmp_path, NEW, scores(range(0), range(60)), train_type="segmentation") is None
    assert latest(tmp_path) == NEW
    found = publish(tmp_path, THIRD, scores(range(0), range(60)))
    assert found is not None
    assert (found.with_task, found.promoted, latest(tmp_path)) == (OLD, False, NEW)


def test_the_model_that_somebody_pointed_the_link_to_is_the_one_to_compare_with(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(30), range(60)))
    publish(tmp_path, NEW, scores(range(60), range(60)))
    (tmp_path / "models" / "latest").unlink()
    (tmp_path / "models" / "latest").symlink_to(OLD)
    found = publish(tmp_path, THIRD, scores(range(30), range(60)))
    assert found is not None
    assert (found.with_task, found.promoted) == (OLD, True)


def test_models_that_were_not_promoted_are_not_compared_with(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(60), range(60)))
    publish(tmp_path, NEW, scores(range(20), range(60)))
    found = publish(tmp_path, THIRD, scores(range(59), range(60)))
    assert found is not None
    assert (found.with_task, found.promoted, latest(tmp_path)) == (OLD, True, THIRD)


def test_interim_models_are_in_use_only_where_nothing_better_is(tmp_path: Path) -> None:
    assert gate_of(tmp_path).admits_interim()
    publish(tmp_path, OLD, None, interim=True)
    assert gate_of(tmp_path).admits_interim()
    assert gate_of(tmp_path).compare(scores(range(3), range(60))) is None
    publish(tmp_path, NEW, scores(range(50), range(60)))
    assert not gate_of(tmp_path).admits_interim()
    assert not gate_of(tmp_path, "segmentation").admits_interim()


def test_the_pictures_of_the_model_in_use_are_held_out_again(tmp_path: Path) -> None:
    assert gate_of(tmp_path).sides([content(1)]).tolist() == [0]
    publish(tmp_path, OLD, scores(range(60), range(3)))
    publish(tmp_path, NEW, scores(range(60), range(9)), promoted=False)
    contents = [content(number) for number in range(6)]
    assert gate_of(tmp_path).sides(contents).tolist() == [1, 1, 1, 0, 0, 0]
    assert not gate_of(tmp_path, "segmentation").sides(contents).any()
    last = LastTraining(OLD, {content(0): 0, content(3): 0, content(4): 1}, frozenset({content(4)}), [])
    assert gate_of(tmp_path).sides(contents, last).tolist() == [-1, 1, 1, -1, 1, 0]


@pytest.mark.parametrize("promoted", [True, False])
def test_a_crash_before_the_link_is_switched_does_not_change_the_decision(tmp_path: Path, promoted: bool) -> None:
    """The next attempt finds the finished model, or meets it when it publishes its own."""
    publish(tmp_path, OLD, scores(range(50), range(60)))
    os.utime(tmp_path / "models" / OLD / "manifest.json", (1, 1))
    publish(tmp_path, NEW, scores(range(55 if promoted else 9), range(60)))
    for second_attempt in (finished_again, published_again):
        (tmp_path / "models" / "latest").unlink()
        (tmp_path / "models" / "latest").symlink_to(OLD)
        second_attempt(tmp_path)
        assert latest(tmp_path) == (NEW if promoted else OLD)


def finished_again(project: Path) -> None:
    with open_project(project) as opened:
        manifest = finished_model(opened, NEW)
        assert manifest is not None
        finish_publication(opened, manifest)


def published_again(project: Path) -> None:
    with pytest.raises(AlreadyPublishedError):
        publish(project, NEW, scores(range(60), range(60)))


def test_an_older_model_does_not_take_the_link_back(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(50), range(60)))
    os.utime(tmp_path / "models" / OLD / "manifest.json", (1, 1))
    publish(tmp_path, NEW, scores(range(50), range(60)))
    with open_project(tmp_path) as opened:
        manifest = finished_model(opened, OLD)
        assert manifest is not None
        finish_publication(opened, manifest)
    assert latest(tmp_path) == NEW


def test_the_file_has_the_same_bytes_for_the_same_scores_and_takes_any_label() -> None:
    names = [content(2), content(1), ""]
    held_out = HeldOutScores.of("accuracy", names, ["caf\udce9", "x" * 999, "lost"], [1, 0, 1])
    assert held_out.pictures[content(1)] == PictureScore("x" * 999, 0.0)
    assert held_out.pictures[content(1)] != PictureScore("x" * 998, 0.0)
    assert len(held_out.pictures[content(1)].truth) <= MAX_TRUTH_CHARS
    assert list(json.loads(held_out.encoded())["pictures"]) == [content(1), content(2)]
    assert msgspec.json.decode(held_out.encoded(), type=HeldOutScores) == held_out
    assert held_out.encoded() == HeldOutScores("accuracy", dict(reversed(held_out.pictures.items()))).encoded()
