"""What trainType=brightness is: every part that a kind must have, each as small as it can be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from protocol.data_report import DataReport
from protocol.options import TrainingOptions
from trainer_worker.exporting.model_description import ModelDescription
from trainer_worker.layouts.layout import ClassLayout, LabelledFile
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader
from trainer_worker.publishing.kind import SAMPLES, Answer, Card, Entry, Kind, Layout, Presentation, Samples, Snippets
from trainer_worker.reporting.blocks import Prose, Section
from trainer_worker.reporting.material import Material, ReportParts

LABEL = "brightness"


def _pick(held_out: Sequence[Entry]) -> list[Entry]:
    """The pictures with the largest errors."""
    return sorted(held_out, key=lambda entry: (-abs(entry["truth"] - entry["predicted"]), entry["file"]))[:SAMPLES]


def _answer(manifest: dict[str, Any], entry: Entry, output: npt.NDArray[Any]) -> Answer:
    """output: the brightness, (1,)."""
    values = {"truth": entry["truth"], "label": LABEL, "probabilities": [round(float(output[0]), 4)]}
    return Answer(images={}, values=values)


def _scores(metrics: dict[str, Any]) -> list[str]:
    return [f"## How good it is\n\nIt is off by {metrics['final']['mean_error']:.4f} in the mean."]


def _sections(material: Material) -> list[Section]:
    error = material.metrics["final"]["mean_error"]
    return [Section("errors", "How far off it is", (Prose(f"By {error:.4f} in the mean."),))]


PRESENTATION = Presentation(
    description=ModelDescription(
        name="Light meter",
        purpose="Says how bright a picture is.",
        output="brightness",
        meaning="0 is black, 1 is white.",
        is_mask=False,
        labels="The name of the one number.",
        labels_name_outputs=True,
    ),
    card=Card(
        purpose=lambda labels: "Says how bright a picture is.",
        scores=_scores,
        limits="- It knows nothing of a picture but its mean colour.",
    ),
    report=ReportParts(in_percent=False, baseline=lambda metrics: None, sections=_sections),
    samples=Samples(_pick, _answer),
    snippets=Snippets(Path(__file__).with_name("snippets"), ("web/brightness.mjs",)),
    output_spec=lambda manifest: {"note": "0 is black, 1 is white"},
)


def _recognise(tree: Tree) -> ClassLayout:
    """All pictures of images/; they have no classes."""
    pictures = tuple(LabelledFile(path, LABEL) for path in tree.files_in("images"))
    return ClassLayout("pictures", "All pictures of images/ are used.", (LABEL,), pictures)


def _foresee(
    tree: Tree, layout: Layout, reader: PictureReader, headers: Headers, options: TrainingOptions
) -> DataReport:
    return DataReport(layout.name, layout.rule, len(layout.pictures))


KIND = Kind(
    train_type="brightness",
    trainer="tests.brightness.train",
    helper="",
    recognise=_recognise,
    foresee=_foresee,
    headline="mean_error",
    presentation=lambda numbers: PRESENTATION,
)
