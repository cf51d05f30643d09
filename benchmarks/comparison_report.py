"""Prints what a comparison has found: a table and differences for each set and form, then means over the sets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks.comparison import Contender
from benchmarks.comparison_table import Table
from benchmarks.paired_differences import Difference, at_least, mean_difference

#: Half a point less than the better of the other recipes counts as equal to it.
EQUAL_WITHIN = 0.005
BETTER = "the better"


def set_lines(table: Table, lead: float) -> list[str]:
    """The table of one set in one form, and whether the targets are met on it.

    lead: how much higher than the better of the other recipes the score should be, 0 to 1; 0 where equal is enough.
    """
    trial = table.trial
    scored = next(iter(next(iter(table.runs.values())).values())).scored
    lines = [
        "",
        f"{trial.set_name}, {trial.form}; {trial.pictures} pictures, of which {scored} score in each split",
        *_cells(table),
    ]
    better = table.better_opponent()
    is_only = len(table.comparison.revisions) == 1
    for ours in table.ours():
        for opponent in table.opponents():
            if found := table.difference(ours, opponent):
                verdicts = f", {_verdicts(found, lead)}" if is_only else ""
                lines.append(f"{_against(table, ours, opponent, found)}{verdicts}")
        if better and not is_only and (found := table.difference(ours, better)):
            lines.append(f"{ours.name} - {BETTER} ({better.name}): {_words(found)}, {_verdicts(found, lead)}")
    for variant in table.ours()[1:]:
        if found := table.difference(variant, table.ours()[0]):
            lines.append(_against(table, variant, table.ours()[0], found))
    return lines


def mean_lines(tables: Sequence[Table], lead: float) -> list[str]:
    """The differences as means over the sets of one form."""
    lines = []
    for name in dict.fromkeys(ours.name for table in tables for ours in table.ours()):
        for opponent in (*tables[0].comparison.revisions, BETTER):
            found = [difference for table in tables if (difference := _named_difference(table, name, opponent))]
            if len(found) < len(tables):
                continue
            mean = mean_difference(found)
            added = (
                f", {_verdicts(mean, lead)}" if opponent == BETTER else f"; {_mean_time_words(tables, name, opponent)}"
            )
            lines.append(f"{name} - {opponent}, mean of {len(tables)} sets: {_words(mean)}{added}")
    return lines


def mean_score(tables: Sequence[Table], name: str) -> float | None:
    """The mean over the sets of one form, 0 to 1; None unless the contender of this name was run on all of them."""
    means = [table.mean(each) for table in tables for each in table.runs if each.name == name]
    return statistics.mean(means) if means and len(means) == len(tables) else None


def _named_difference(table: Table, name: str, opponent: str) -> Difference | None:
    one = table.named(name)
    other = table.better_opponent() if opponent == BETTER else table.named(opponent)
    return table.difference(one, other) if one and other else None


def _mean_time_words(tables: Sequence[Table], name: str, opponent: str) -> str:
    """The geometric mean of the shares of time."""
    pairs = [(table, table.named(name), table.named(opponent)) for table in tables]
    found = [share for table, one, other in pairs if one and other and (share := table.share_of_time(one, other))]
    share = mean_difference(found) if len(found) == len(tables) else None
    return _time_words(share, tables[0].comparison.of_time.get(opponent))


def _cells(table: Table) -> list[str]:
    scores = table.comparison.scores
    in_words = (name.replace("_", " ") for name in scores)
    rows = [("mean ± deviation", "splits", *in_words, "seconds", "images/s", "peak memory MB", "other cores")]
    for contender, by_split in table.runs.items():
        runs = list(by_split.values())
        cells = (
            *(_spread([100 * run.scores[name] for run in runs], "%") for name in scores),
            _spread([run.seconds for run in runs]),
            _spread([run.images / run.seconds for run in runs]),
            _spread([run.peak_mb for run in runs]),
            _spread([run.other_cores for run in runs]),
        )
        rows.append((contender.name, f"{len(runs)}", *cells))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        row[0].ljust(widths[0])
        + "".join(f"{cell:>{width + 3}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def _against(table: Table, one: Contender, other: Contender, found: Difference) -> str:
    time = _time_words(table.share_of_time(one, other), table.comparison.of_time.get(other.name))
    return f"{one.name} - {other.name}: {_words(found)}; {time}"


def _words(found: Difference) -> str:
    low, high = found.interval
    between = f"{100 * low:+.2f} to {100 * high:+.2f}" if math.isfinite(low) else "one split: no interval"
    return f"{100 * found.mean:+.2f} points ({between})"


def _verdicts(found: Difference, lead: float) -> str:
    equal = f"target at least equal: {at_least(found, 0.0, EQUAL_WITHIN)}"
    return f"{equal}, target {100 * lead:+g}: {at_least(found, lead)}" if lead else equal


def _time_words(found: Difference | None, most: float | None) -> str:
    """found: the logarithm of a ratio of seconds. most: the share of the other's time that is the target."""
    if found is None:
        return "other work disturbed it, so nothing is said of the time"
    low, high = found.interval
    share = f"{math.exp(found.mean):.2f} of its time"
    if math.isfinite(low):
        share += f" ({math.exp(low):.2f} to {math.exp(high):.2f})"
    if most is None:
        return share
    # At most `most` of the time, seen from the other side.
    inverse = Difference(-found.mean, found.error, found.freedom)
    return f"{share}, target {most:.2g}: {at_least(inverse, -math.log(most))}"


def _spread(values: Sequence[float], unit: str = "") -> str:
    """Mean and standard deviation over the splits; the mean alone if there is one split."""
    mean = f"{statistics.mean(values):.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}{unit}" if len(values) > 1 else mean + unit
