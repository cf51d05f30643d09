"""Which runs a comparison of recipes makes, and what it takes from the file of results instead."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.code_hash import code_hash
from benchmarks.comparison import ROOMS, Comparison, Trial
from benchmarks.measured_runs import measure, other_code_lines, tables_of
from benchmarks.other_work import QUIET_CORES
from benchmarks.run_results import RunResults
from tests.contract.test_imports import OF_A_TRAIN_TYPE
from tests.recipe_results import result


@dataclass(frozen=True)
class Scripted(Comparison):
    """Its recipes answer at once. made: the runs, as recipe and options. failing: recipes that fail."""

    made: list[tuple[str, ...]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    code_now: list[str] = field(default_factory=lambda: ["code 1"])

    def run(self, recipe: str, project: Path, flags: Sequence[str]) -> dict[str, Any]:
        options = [value for flag, value in itertools.pairwise(flags) if flag == "--option"]
        self.made.append((recipe, *options))
        if recipe in self.failing:
            raise RuntimeError("out of memory")
        names = sorted(path.name for path in project.iterdir())
        return {
            "scores": {"accuracy": 0.9, "balanced_accuracy": 0.8},
            "held_out": names,
            "images": 50,
            "seconds": 3.0,
            "peak_mb": 700.0,
            "stage_seconds": None,
        }

    def code_of_ours(self) -> str:
        return self.code_now[0]


def scripted() -> Scripted:
    return Scripted(
        "no.module",
        ("tfmodel", "guide"),
        ("accuracy", "balanced_accuracy"),
        code=(),
        revisions={"guide": 1},
        shared_options=("imageSize",),
        of_time={"guide": 0.2},
    )


def a_trial(content: str = "abc", form: str = "all") -> Trial:
    def lay_out(split: int, project: Path) -> None:
        (project / f"picture of split {split}.png").touch()

    return Trial("pets", form, content, 100, lay_out)


def arguments(comparison: Comparison, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    comparison.add_arguments(parser)
    parser.add_argument("--smoke", action="store_true")
    return parser.parse_args(["--seeds", "2", "--threads", "2", *words])


def runs_made(path: Path, *words: str, **of_trial: str) -> list[tuple[str, ...]]:
    comparison = scripted()
    assert measure(comparison, [a_trial(**of_trial)], arguments(comparison, *words), RunResults(path)) == []
    return comparison.made


def test_recipes_take_turns_on_each_split(tmp_path: Path) -> None:
    made = runs_made(tmp_path / "results.jsonl")
    assert made == [("tfmodel", "seed=1"), ("guide", "seed=1"), ("tfmodel", "seed=2"), ("guide", "seed=2")]


def test_runs_in_the_file_are_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    assert len(runs_made(path, "--seeds", "1")) == 2
    assert runs_made(path, "--seeds", "1") == []
    assert runs_made(path) == [("tfmodel", "seed=2"), ("guide", "seed=2")]
    assert len(runs_made(path, content="other files")) == 4
    assert len(runs_made(path, form="5 shots")) == 4
    assert len(runs_made(path, "--threads", "1")) == 4
    assert len(runs_made(tmp_path / "another file")) == 4


def test_options_of_tfmodel_leave_the_results_of_others_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    runs_made(path)
    assert runs_made(path, "--option", "timeBudget=8") == [
        ("tfmodel", "timeBudget=8", "seed=1"),
        ("tfmodel", "timeBudget=8", "seed=2"),
    ]
    assert len(runs_made(path, "--option", "imageSize=96")) == 4
    assert runs_made(path, "--variant", "lite2:backbone=lite2,imageSize=256") == [
        ("tfmodel", "backbone=lite2", "imageSize=256", "seed=1"),
        ("tfmodel", "backbone=lite2", "imageSize=256", "seed=2"),
    ]


def test_other_code_of_the_trainer_makes_old_results_old(tmp_path: Path) -> None:
    results, comparison = RunResults(tmp_path / "results.jsonl"), scripted()
    given = arguments(comparison)
    measure(comparison, [a_trial()], given, results)
    comparison.code_now[0] = "code 2"
    comparison.made.clear()
    (table,) = tables_of(comparison, [], given, results)
    assert [contender.name for contender in table.runs] == ["guide"]
    measure(comparison, [a_trial()], given, results)
    assert comparison.made == [("tfmodel", "seed=1"), ("tfmodel", "seed=2")]
    (earlier,) = tables_of(comparison, [], arguments(comparison, "--code", "code 1"), results)
    assert [contender.revision for contender in earlier.ours()] == ["code 1"]
    (line,) = other_code_lines(comparison, given, results)
    assert line.startswith("The file also has 2 runs of tfmodel with other code")
    assert line.endswith("--code code 1")


def test_code_that_changes_meanwhile_ends_the_measurement(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Edited(Scripted):
        def run(self, recipe: str, project: Path, flags: Sequence[str]) -> dict[str, Any]:
            if recipe == "guide":
                self.code_now[0] = "code 2"
            return super().run(recipe, project, flags)

    comparison = Edited(**{name: getattr(scripted(), name) for name in Comparison.__dataclass_fields__})
    with pytest.raises(SystemExit, match="code has changed"):
        measure(comparison, [a_trial()], arguments(comparison), RunResults(tmp_path / "results.jsonl"))
    assert len(comparison.made) == 2


def test_comments_and_docstrings_are_no_other_code(tmp_path: Path) -> None:
    def hashed(source: str) -> str:
        (tmp_path / "room").mkdir(exist_ok=True)
        (tmp_path / "room" / "file.py").write_text(source)
        return code_hash(["room"], tmp_path)

    plain = hashed("def f(x):\n    return x + 1\n")
    assert hashed('"""Says more."""\n\ndef f(x):\n    """Adds."""\n    return (x +\n        1)  # here\n') == plain
    assert hashed("def f(x):\n    return x + 2\n") != plain


def test_the_hash_is_of_all_code_that_a_training_may_use() -> None:
    """A room of a trainType may import these, so a change in any of them may change its results."""
    assert set(ROOMS) == OF_A_TRAIN_TYPE


def test_a_failed_run_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    results, comparison = RunResults(tmp_path / "results.jsonl"), scripted()
    comparison.failing.add("guide")
    failed = measure(comparison, [a_trial()], arguments(comparison), results)
    assert [line.split(" failed")[0] for line in failed] == [f"pets, all, split {split}, guide" for split in (1, 2)]
    assert len(results.all()) == 2
    assert runs_made(tmp_path / "results.jsonl") == [("guide", "seed=1"), ("guide", "seed=2")]


def test_disturbed_runs_are_repeated_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    runs_made(path, "--seeds", "1", "--recipes", "guide")
    results = RunResults(path)
    (quiet,) = [msgspec.structs.replace(found, other_cores=0.0) for found in results.all()]
    results.add(quiet)
    assert runs_made(path, "--seeds", "1", "--recipes", "guide", "--quiet") == []
    results.add(msgspec.structs.replace(quiet, other_cores=QUIET_CORES + 0.1))
    assert runs_made(path, "--seeds", "1", "--recipes", "guide") == []
    assert runs_made(path, "--seeds", "1", "--recipes", "guide", "--quiet") == [("guide", "seed=1")]


def test_a_line_that_was_cut_off_costs_only_its_own_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.jsonl"
    results = RunResults(path)
    assert results.all() == []
    first, second = result("guide", 1, 0.9), result("guide", 2, 0.8)
    results.add(first)
    results.add(second)
    path.write_bytes(path.read_bytes()[:-40])
    results.add(second)
    assert results.all() == [first, second]
    assert "is no result" in capsys.readouterr().out


def test_a_report_needs_no_folders(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for form in ("all", "5 shots, 60 scored"):
        runs_made(path, form=form)
    comparison = scripted()
    tables = tables_of(comparison, [], arguments(comparison), RunResults(path))
    assert [(table.trial.set_name, table.trial.form) for table in tables] == [
        ("pets", "all"),
        ("pets", "5 shots, 60 scored"),
    ]
    assert [sorted(runs) for runs in tables[0].runs.values()] == [[1, 2], [1, 2]]
