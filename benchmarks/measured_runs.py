"""Runs the recipes of a comparison one after the other, and adds each result to the file of results."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Contender, Trial
from benchmarks.comparison_table import Table
from benchmarks.machine import describe_machine
from benchmarks.other_work import QUIET_CORES, OtherWork
from benchmarks.run_results import RunKey, RunResult, RunResults


def measure(
    comparison: Comparison, trials: Sequence[Trial], arguments: argparse.Namespace, results: RunResults
) -> list[str]:
    """Run what the results lack. Recipes take turns on each split. Returns a sentence for each run that failed."""
    failed = []
    splits, contenders = range(1, arguments.seeds + 1), comparison.contenders(arguments)
    for trial, split, contender in itertools.product(trials, splits, contenders):
        key = comparison.key(trial, contender, split, arguments)
        if _is_known(results.newest().get(key), arguments):
            continue
        _refuse_changed_code(comparison, contender)
        try:
            result = _run(comparison, trial, key, arguments)
        except RuntimeError as error:
            failed.append(f"{_what(trial, contender, split)} failed: {error}")
            print(failed[-1], flush=True)
            continue
        results.add(result)
        print(f"{_what(trial, contender, split)}: {_one_line(result)}", flush=True)
    return failed


def tables_of(
    comparison: Comparison, trials: Sequence[Trial], arguments: argparse.Namespace, results: RunResults
) -> list[Table]:
    """What the file of results has of these trials; of all its trials if none are given."""
    newest = results.newest()
    tables = []
    for trial in trials or _trials_in(results.all()):
        runs: dict[Contender, dict[int, RunResult]] = {}
        for contender in comparison.contenders(arguments):
            keys = [comparison.key(trial, contender, split, arguments) for split in range(1, arguments.seeds + 1)]
            if found := {key.split: newest[key] for key in keys if key in newest}:
                runs[contender] = found
        if runs:
            tables.append(Table(comparison, trial, runs))
    return tables


def other_code_lines(comparison: Comparison, arguments: argparse.Namespace, results: RunResults) -> list[str]:
    """Which runs of our own recipe were made with other code than the one that is shown."""
    shown = arguments.code or comparison.code_of_ours()
    ours = [each for each in results.all() if each.key.recipe == comparison.ours and each.key.revision != shown]
    ended = {each.key.revision: each.started for each in ours}
    counts = Counter(each.key.revision for each in ours)
    return [
        f"The file also has {counts[code]} runs of {comparison.ours} with other code, the last of {ended[code]}: "
        f"--report-only --code {code}"
        for code in ended
    ]


def _trials_in(results: Sequence[RunResult]) -> list[Trial]:
    """The sets and forms of these results, without folders that could be measured."""
    found = (
        Trial(each.set_name, each.key.form, each.key.content, each.pictures, lambda split, project: None)
        for each in results
    )
    return list(dict.fromkeys(found))


def _is_known(result: RunResult | None, arguments: argparse.Namespace) -> bool:
    return result is not None and not (arguments.quiet and result.other_cores > QUIET_CORES)


def _refuse_changed_code(comparison: Comparison, contender: Contender) -> None:
    if contender.recipe == comparison.ours and comparison.code_of_ours() != contender.revision:
        raise SystemExit(
            "The trainer's code has changed since this measurement began, so its runs can't be compared. Start it "
            "again: the runs that are in the file of results are not repeated for the other recipes."
        )


def _run(comparison: Comparison, trial: Trial, key: RunKey, arguments: argparse.Namespace) -> RunResult:
    flags = ["--threads", str(arguments.threads), "--cache-dir", str(arguments.cache_dir)]
    flags += [word for option in (*key.options, f"seed={key.split}") for word in ("--option", option)]
    if key.quick:
        flags.append("--quick")
    started, load = time.strftime("%Y-%m-%dT%H:%M:%S"), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        trial.lay_out(key.split, Path(folder))
        others = OtherWork()
        outcome = comparison.run(key.recipe, Path(folder).resolve(), flags)
    held_out = outcome["held_out"]
    return RunResult(
        key=key,
        set_name=trial.set_name,
        pictures=trial.pictures,
        scored=len(held_out),
        held_out=hashlib.sha256("\n".join(held_out).encode()).hexdigest()[:16],
        load=load,
        other_cores=round(others.cores(), 3),
        started=started,
        machine=describe_machine(),
        **_measured(outcome),
    )


def _measured(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {name: outcome[name] for name in ("scores", "images", "seconds", "peak_mb", "stage_seconds")}


def _what(trial: Trial, contender: Contender, split: int) -> str:
    return f"{trial.set_name}, {trial.form}, split {split}, {contender.name}"


def _one_line(result: RunResult) -> str:
    scores = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in result.scores.items())
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in (result.stage_seconds or {}).items())
    return (
        f"{scores}, {result.seconds:.1f} s{f' ({stages})' if stages else ''}, other work {result.other_cores:.1f} cores"
    )
