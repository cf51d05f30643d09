"""The tables of `benchmarks.honesty`: what was measured, and whether the goals were held."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from benchmarks.checked_advice import CheckedAdvice
from benchmarks.coverage import Coverage, Interval, coverage, mean_and_error
from benchmarks.judged_training import Judged, Pair

TARGET_COVERAGE = 0.9
TARGET_GAP = 0.10
TARGET_PRECISION = 0.6
TARGET_ADVICE_SHARE = 2 / 3
TARGET_ADDED_SHARE = 0.03
TARGET_REPORT_S = 1.0

#: The stages that a training had before it said how far its scores are to be believed. All others are counted as added.
OLD_STAGES = ("features", "train", "export", "check", "publish")
REPORT_STAGE = "report"


@dataclass(frozen=True)
class Timed:
    """A training of a whole set with the default options."""

    name: str
    images: int
    seconds: float
    stage_seconds: dict[str, float]
    method: str

    @property
    def added_share(self) -> float:
        """The seconds of the added stages as a share of those of the others."""
        added_s = sum(seconds for stage, seconds in self.stage_seconds.items() if stage not in OLD_STAGES)
        return added_s / (sum(self.stage_seconds.values()) - added_s)

    def __str__(self) -> str:
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in self.stage_seconds.items())
        return f"{self.name}, all {self.images} images: {self.seconds:.1f} s ({stages}), scored by {self.method}"


@dataclass
class Findings:
    """All that was measured. judged: by set and kind. precisions: of suspect labels, by set, None where none exist."""

    judged: dict[tuple[str, str], list[Judged]] = field(default_factory=dict)
    precisions: dict[str, list[float | None]] = field(default_factory=dict)
    advice: dict[str, list[CheckedAdvice]] = field(default_factory=dict)
    timed: list[Timed] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Judged]:
        return [judged for (_, found), listed in self.judged.items() if found == kind for judged in listed]

    @property
    def kinds(self) -> list[str]:
        return list(dict.fromkeys(kind for _, kind in self.judged))


def row_of(name: str, kind: str, seed: int, judged: Judged, seconds: float) -> str:
    """A line for one training, printed while others still run."""
    recalls = coverage_of_recalls([judged])
    verdict = "holds" if judged.score_holds else "MISSES"
    return (
        f"{name}, {kind}, draw {seed}: reported {judged.score} by {judged.method}, truth {judged.truth}: {verdict}; "
        f"recalls {recalls.held} of {recalls.of}; calibration error {100 * judged.error_after.measured:.1f}; "
        f"{seconds:.1f} s"
    )


def coverage_of_scores(listed: Iterable[Judged]) -> Coverage:
    return coverage((judged.score, judged.truth) for judged in listed)


def coverage_of_recalls(listed: Iterable[Judged]) -> Coverage:
    pairs: list[tuple[Interval, Interval]] = [
        (recall.reported, recall.truth) for judged in listed for recall in judged.recalls if recall.reported
    ]
    return coverage(pairs)


def summary_tables(findings: Findings) -> list[Table]:
    return [_scores_table(findings), _calibration_table(findings)] if findings.judged else []


def _scores_table(findings: Findings) -> Table:
    columns = ("set", "kind", "score holds the truth", "recalls hold it", "width", "of recalls", "bias", "unscored")
    table = Table(*columns, title="Reported intervals beside the truth (widths and biases in points)")
    for (name, kind), listed in _with_totals(findings):
        reported = [recall.reported for judged in listed for recall in judged.recalls]
        widths = [100 * interval.width for interval in reported if interval]
        table.add_row(
            name,
            kind,
            str(coverage_of_scores(listed)),
            str(coverage_of_recalls(listed)),
            f"{statistics.fmean(100 * judged.score.width for judged in listed):.0f}",
            f"{statistics.fmean(widths):.0f}" if widths else "",
            _spread([100 * judged.bias for judged in listed]),
            f"{reported.count(None)} classes" if None in reported else "",
        )
    return table


def _calibration_table(findings: Findings) -> Table:
    title = "Reported -> measured on unseen pictures, in per cent"
    columns = ("set", "kind", "calibration error before", "after", "strangers spotted", "right answers kept")
    table = Table(*columns, title=title)
    for (name, kind), listed in _with_totals(findings):
        table.add_row(
            name,
            kind,
            _pair([judged.error_before for judged in listed]),
            _pair([judged.error_after for judged in listed]),
            _pair([judged.spotted for judged in listed]),
            _pair([judged.kept for judged in listed]),
        )
    return table


def _with_totals(findings: Findings) -> list[tuple[tuple[str, str], list[Judged]]]:
    """The rows of each set, and those of all sets together where there are several."""
    rows = list(findings.judged.items())
    if len({name for name, _ in findings.judged}) > 1:
        rows += [(("all", kind), findings.of_kind(kind)) for kind in findings.kinds]
    return rows


def _pair(pairs: Sequence[Pair | None]) -> str:
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return "not reported"
    reported, measured = (100 * statistics.fmean(values) for values in zip(*known, strict=True))
    return f"{'not reported' if math.isnan(reported) else f'{reported:.1f}'} -> {measured:.1f}"


def _spread(values: Sequence[float]) -> str:
    mean, error = mean_and_error(values)
    return f"{mean:+.1f}" + ("" if math.isnan(error) else f" ± {error:.1f}")


@dataclass(frozen=True)
class Goal:
    """held: None where nothing was measured."""

    wanted: str
    measured: str
    held: bool | None


def goal_table(findings: Findings) -> Table:
    table = Table("goal", "measured", "", title="Goals")
    for goal in goals(findings):
        table.add_row(
            goal.wanted,
            goal.measured,
            "not measured" if goal.held is None else "held" if goal.held else "MISSED",
        )
    return table


def goals(findings: Findings) -> list[Goal]:
    return [
        _coverage_goal(findings, "score", coverage_of_scores),
        _coverage_goal(findings, "recall of each class", coverage_of_recalls),
        _gap_goal(findings),
        _calibration_goal(findings),
        _precision_goal(findings),
        _advice_goal(findings),
        *_time_goals(findings),
    ]


def _coverage_goal(findings: Findings, what: str, covered: Callable[[Iterable[Judged]], Coverage]) -> Goal:
    of_kinds = {kind: covered(findings.of_kind(kind)) for kind in findings.kinds}
    measured = "; ".join(f"{kind} {found.held} of {found.of}" for kind, found in of_kinds.items())
    held = all(found.reaches(TARGET_COVERAGE) for found in of_kinds.values()) if of_kinds else None
    return Goal(f"the interval of the {what} holds the truth in 9 of 10 folders of each kind", measured, held)


def _gap_goal(findings: Findings) -> Goal:
    gaps = [judged.gap_of_smallest() for judged in findings.of_kind("imbalanced")]
    wanted = "recall of the class with few pictures at most 10 points below the mean of the others"
    if not gaps:
        return Goal(wanted, "", None)
    gap = statistics.fmean(gaps)
    return Goal(wanted, f"{_spread([100 * value for value in gaps])} points below", gap <= TARGET_GAP)


def _calibration_goal(findings: Findings) -> Goal:
    both = [
        (judged.error_before.measured, judged.error_after.measured)
        for listed in findings.judged.values()
        for judged in listed
        if judged.error_before
    ]
    wanted = "the temperature lowers the calibration error on unseen pictures"
    if not both:
        return Goal(wanted, "", None)
    before, after = (100 * statistics.fmean(values) for values in zip(*both, strict=True))
    return Goal(wanted, f"{before:.1f} % before, {after:.1f} % after", after < before)


def _precision_goal(findings: Findings) -> Goal:
    means = {
        name: statistics.fmean(known)
        for name, values in findings.precisions.items()
        if (known := [value for value in values if value is not None])
    }
    measured = "; ".join(f"{name} {mean:.2f}" for name, mean in means.items())
    held = sum(mean >= TARGET_PRECISION for mean in means.values()) >= min(2, len(means)) if means else None
    return Goal("of 5 % planted wrong labels, precision 0.6 among as many as planted, on two sets", measured, held)


def _advice_goal(findings: Findings) -> Goal:
    share = {name: statistics.fmean(advice.right for advice in listed) for name, listed in findings.advice.items()}
    measured = "; ".join(
        f"{name} {sum(advice.right for advice in listed)} of {len(listed)}" for name, listed in findings.advice.items()
    )
    held = sum(value > 0.5 for value in share.values()) >= TARGET_ADVICE_SHARE * len(share) if share else None
    return Goal("the class that the learning curve names gains most, in 2 of 3 sets", measured, held)


def _time_goals(findings: Findings) -> list[Goal]:
    plain = [timed for timed in findings.timed if timed.method == "held_out"]
    measured = "; ".join(f"{timed.name} {timed.added_share:.1%}" for timed in plain)
    held = all(timed.added_share <= TARGET_ADDED_SHARE for timed in plain) if plain else None
    reports = {
        timed.name: timed.stage_seconds[REPORT_STAGE] for timed in findings.timed if REPORT_STAGE in timed.stage_seconds
    }
    return [
        Goal("the added stages take at most 3 % where no cross-validation is needed", measured, held),
        Goal(
            "the report is written within 1 s",
            "; ".join(f"{name} {seconds:.2f} s" for name, seconds in reports.items()),
            all(seconds <= TARGET_REPORT_S for seconds in reports.values()) if reports else None,
        ),
    ]
