"""The head of the report: how good the model is, in one sentence and one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainer_worker.reporting.figures import count, counted, day, decimal, finite, percent, percent_range, size
from trainer_worker.reporting.material import Material, ReportParts

_METHODS = {"held_out": "photos that never trained it", "cross_validation": "cross-validation"}


@dataclass(frozen=True)
class Headline:
    """sentence: the answer in words. more: what else is said of it. verdict: in a few words, or "".

    value, low, high, baseline: shares from 0 to 1 for the scale; None where there is none. marks: what is written below
    the scale. described: the scale in words. facts: a few more figures, (name, value) each. notice, notice_more: what a
    person must know before all else, such as that the model is not the one in use; "" for nothing.
    """

    title: str
    sentence: str
    more: str
    verdict: str
    value: float | None
    low: float | None
    high: float | None
    baseline: float | None
    value_text: str
    range_text: str
    baseline_text: str
    marks: tuple[tuple[float, str], ...]
    facts: tuple[tuple[str, str], ...]
    notice: str = ""
    notice_more: str = ""

    @property
    def described(self) -> str:
        parts = [f"{self.value_text} measured", self.range_text and f"{self.range_text} likely", self.baseline_text]
        return "A scale from 0 to 1: " + "; ".join(part for part in parts if part)


def headline(material: Material, parts: ReportParts) -> Headline:
    score = material.metrics.get("score") or {}
    value, low, high = (finite(score.get(name)) for name in ("value", "low", "high"))
    pictures = score.get("pictures") or 0
    words = score_words(parts.in_percent, pictures)
    baseline = parts.baseline(material.metrics)
    sentence, end, more = (score.get("sentence") or _without_score(material)).partition(". ")
    return Headline(
        title=f"Model report, {day(material.made_on)}",
        sentence=sentence + end.strip(),
        more=more,
        verdict="" if score.get("enough", True) else "Not enough to tell",
        value=value,
        low=low if high is not None else None,
        high=high if low is not None else None,
        baseline=baseline.score if baseline else None,
        value_text=words(value),
        range_text=score_range(parts.in_percent, low, high),
        baseline_text=f"{words(baseline.score)} by {baseline.described}" if baseline else "",
        marks=tuple((mark, words(mark)) for mark in (0.0, 0.25, 0.5, 0.75, 1.0)),
        facts=tuple(_facts(material, score)),
        notice="This model is not in use." if is_held_back(material) else "",
        notice_more=_held_back_in_words(material) if is_held_back(material) else "",
    )


def is_held_back(material: Material) -> bool:
    """Whether models/latest still names the model before, because this one is worse."""
    return (material.metrics.get("comparison") or {}).get("promoted") is False


def _held_back_in_words(material: Material) -> str:
    found = material.metrics["comparison"]
    return (
        f"It did worse than the model before on the same {counted(found['pictures'], 'photo')}, so models/latest still "
        f"names that one, of task {found['with_task']}."
    )


def score_words(in_percent: bool, pictures: int) -> Any:
    """The function that writes a score that was measured on so many pictures."""
    return (lambda value: percent(value, pictures)) if in_percent else decimal


def score_range(in_percent: bool, low: Any, high: Any) -> str:
    if in_percent:
        return percent_range(low, high)
    return "" if finite(low) is None or finite(high) is None else f"{decimal(low)} to {decimal(high)}"


def _without_score(material: Material) -> str:
    """For a trainType that gives no score with an interval: its own words, and its figures."""
    said = str(material.metrics.get("headline") or "The model is ready")
    name = said.partition(":")[0]
    value = material.manifest.get("metrics", {}).get(name)
    return said if value is None else f"{said} ({decimal(value, 3)})"


def _facts(material: Material, score: dict[str, Any]) -> list[tuple[str, str]]:
    metrics = material.metrics
    images = metrics.get("images") or {}
    facts = []
    if score.get("right") is not None:
        facts.append(("Recognised", f"{count(score['right'])} of {counted(score['pictures'], 'photo')}"))
    elif score.get("pictures"):
        facts.append(("Measured on", counted(score["pictures"], "photo")))
    if score.get("method") in _METHODS:
        folds = score.get("folds") or 1
        facts.append(("Measured by", _METHODS[score["method"]] + (f", {folds} folds" if folds > 1 else "")))
    if images:
        facts.append(("Trained on", counted(images.get("train", 0), "photo")))
    if len(metrics.get("labels") or []) > 2:
        facts.append(("Classes", count(len(metrics["labels"]))))
    handed_out = material.manifest.get("model_file")
    for file in (metrics.get("exports") or {}).get("formats", []):
        if file.get("file") == handed_out and file.get("size_bytes") is not None:
            facts.append(("Model file", f"{handed_out}, {size(file['size_bytes'])}"))
    return facts
