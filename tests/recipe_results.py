"""Made-up results of recipes, for tests of the benchmarks that compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.comparison import Comparison, Contender, Trial
from benchmarks.comparison_table import Table
from benchmarks.run_results import RunKey, RunResult

REVISION = "1"


def trial(set_name: str = "pets", form: str = "all") -> Trial:
    return Trial(set_name, form, f"content of {set_name}", 1000, lambda split, project: None)


def result(
    recipe: str, split: int, score: float, seconds: float = 100.0, names: Sequence[str] = ("accuracy",)
) -> RunResult:
    """Of a quiet machine, with 100 scored pictures. names: those of the scores, which are all alike."""
    key = RunKey(recipe, REVISION, (), "content of pets", "all", split, 2, False)
    return RunResult(
        key=key,
        set_name="pets",
        pictures=1000,
        scored=100,
        held_out=f"pictures of split {split}",
        scores=dict.fromkeys(names, score),
        images=500,
        seconds=seconds,
        peak_mb=700.0,
        stage_seconds=None,
        load=0.5,
        other_cores=0.0,
        started="2026-11-30T07:00:00",
        machine="a machine",
    )


def table(
    comparison: Comparison,
    scores: Mapping[str, Sequence[float]],
    seconds: Mapping[str, float] | None = None,
    **of_trial: str,
) -> Table:
    """scores: of each recipe on split 1, 2 and so on. of_trial: set_name and form."""
    return Table(
        comparison,
        trial(**of_trial),
        {
            Contender(recipe, recipe, REVISION): {
                split: result(recipe, split, score, (seconds or {}).get(recipe, 100.0), comparison.scores)
                for split, score in enumerate(found, start=1)
            }
            for recipe, found in scores.items()
        },
    )


def disturbed(found: Table, recipe: str, other_cores: float) -> Table:
    """The same, where other processes kept so many cores busy while that recipe ran."""
    runs = {
        contender: {
            split: msgspec.structs.replace(run, other_cores=other_cores) if contender.recipe == recipe else run
            for split, run in by_split.items()
        }
        for contender, by_split in found.runs.items()
    }
    return Table(found.comparison, found.trial, runs)
