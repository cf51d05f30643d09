"""What a report is made from, and what each trainType adds to it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocol.data_report import DataReport
from trainer_worker.reporting.blocks import Section
from trainer_worker.reporting.overlays import Overlay
from trainer_worker.reporting.picture_book import PictureBook


@dataclass(frozen=True)
class Material:
    """manifest, metrics: as they will be published. overlays: for masks; empty for other models."""

    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    data_report: DataReport
    book: PictureBook
    overlays: Sequence[Overlay]
    made_on: datetime.date


@dataclass(frozen=True)
class Baseline:
    """A score to compare with. described: how one would reach it."""

    score: float
    described: str


@dataclass(frozen=True)
class ReportParts:
    """What is special in the reports of one trainType.

    in_percent: whether its score is a share of pictures, which is written in percent; else with two decimals.
    baseline: the score without a model, from metrics.json; None where there is none.
    sections: the sections about its answers. They come after what to do next.
    answers: what the model gives probabilities for, in the plural. score_titles: the names of scores in words.
    """

    in_percent: bool
    baseline: Callable[[Mapping[str, Any]], Baseline | None]
    sections: Callable[[Material], list[Section]]
    answers: str = "answers"
    score_titles: Mapping[str, str] = field(default_factory=dict)
