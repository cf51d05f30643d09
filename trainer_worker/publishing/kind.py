"""Everything that publishing and the trainer process must know about one trainType, as one value.

Each trainType makes its value in the `kind.py` of its own room. No field has a default: a trainType that forgets one
can't be loaded, and the trainer process says so when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from protocol.data_report import DataReport
from protocol.options import TrainingOptions
from trainer_worker.exporting.model_description import ModelDescription
from trainer_worker.layouts.layout import ClassLayout, MaskLayout
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader
from trainer_worker.reporting.material import ReportParts

Layout = ClassLayout | MaskLayout
#: An entry of `held_out` in metrics.json: one held-out picture and how the model did on it.
Entry = dict[str, Any]

#: An app pack holds at most this many held-out pictures.
SAMPLES = 3


@dataclass(frozen=True)
class Card:
    """The parts of MODEL_CARD.md that are specific to this trainType.

    purpose: makes the sentence that says what the model does, from the labels, which are escaped for Markdown.
    scores: makes the sections that say how good the model is, from metrics.json.
    limits: Markdown list items that say what such a model can't do.
    """

    purpose: Callable[[Sequence[str]], str]
    scores: Callable[[dict[str, Any]], list[str]]
    limits: str


@dataclass(frozen=True)
class Answer:
    """The model's answer for one sample, as samples/expected.json shows it.

    images: uint8 pixels by name, such as a mask; each is stored as samples/NUMBER_NAME.png. values: JSON values.
    """

    images: Mapping[str, npt.NDArray[np.uint8]]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Samples:
    """The held-out pictures that an app pack shows.

    pick: chooses at most SAMPLES from all entries of `held_out`, of which there is at least one.
    answer: makes the answer from manifest.json, one entry, and the model's output for it, float32 (...).
    """

    pick: Callable[[Sequence[Entry]], list[Entry]]
    answer: Callable[[dict[str, Any], Entry, npt.NDArray[Any]], Answer]


@dataclass(frozen=True)
class Snippets:
    """Source code for apps. names: paths below `folder`, which are also the paths in the pack."""

    folder: Path
    names: tuple[str, ...]


@dataclass(frozen=True)
class Presentation:
    """How a model is presented to the people who use it.

    description: what its .tflite file says of it. report: what report.html says beside what it says of every model.
    output_spec: from manifest.json to what input_spec.json says of the output beyond name, shape, type and labels.
    """

    description: ModelDescription
    card: Card
    report: ReportParts
    samples: Samples
    snippets: Snippets
    output_spec: Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """One trainType.

    trainer: the module with `train(attempt)` and `warm_up(cache_dir, threads)`. It is named here and imported by
    training/registry.py, because it loads TensorFlow and a kind doesn't.
    helper: the module with `help_with(attempt, place)`, with which other workers help a training; "" if they can't.
    recognise: from the names in a folder to what they mean; TrainingError for what is unclear (see layouts/layout.py).
    foresee: the report that a training of this layout with these options would begin with, as far as names and headers
    tell. What the training would refuse stands in it as an error finding with the same code and sentence.
    headline: the name of the metric that says most about a model, a key of TrainingResult.metrics.
    presentation: from the last side of the output's shape to the presentation of such a model. One trainType may make
    models that are used in different ways.
    """

    train_type: str
    trainer: str
    helper: str
    recognise: Callable[[Tree], Layout]
    foresee: Callable[[Tree, Layout, PictureReader, Headers, TrainingOptions], DataReport]
    headline: str
    presentation: Callable[[int], Presentation]
