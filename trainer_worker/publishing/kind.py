"""All that publishing and the trainer process must know of one trainType, as one value.

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

from trainer_worker.exporting.metadata import ModelDescription
from trainer_worker.layouts.layout import ClassLayout, MaskLayout
from trainer_worker.layouts.tree import Tree

#: An entry of `held_out` in metrics.json: one held-out picture and how the model did on it.
Entry = dict[str, Any]

#: How many held-out pictures an app pack holds, at most.
SAMPLES = 3


@dataclass(frozen=True)
class Card:
    """What MODEL_CARD.md says of this trainType only.

    purpose: from the labels, already escaped for Markdown, to the sentence that says what the model does.
    scores: from metrics.json to the sections that say how good it is.
    limits: Markdown list items on what such a model can't do.
    """

    purpose: Callable[[Sequence[str]], str]
    scores: Callable[[dict[str, Any]], list[str]]
    limits: str


@dataclass(frozen=True)
class Answer:
    """What a model says of one sample.

    images: name → uint8 pixels, such as a mask; the pack holds each as samples/NUMBER_NAME.png. values: JSON values.
    Both end up in samples/expected.json.
    """

    images: Mapping[str, npt.NDArray[np.uint8]]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Samples:
    """The held-out pictures that an app pack shows.

    pick: from all entries of `held_out` (at least one) to SAMPLES of them at most.
    answer: from manifest.json, one entry and the model's output for it, float32 (...), to what the pack says of it.
    """

    pick: Callable[[Sequence[Entry]], list[Entry]]
    answer: Callable[[dict[str, Any], Entry, npt.NDArray[Any]], Answer]


@dataclass(frozen=True)
class Snippets:
    """Source code for apps. names: files below `folder`, which have the same names in the pack."""

    folder: Path
    names: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One trainType.

    trainer: the module with `train(job, reporter, cache_dir, threads)` and `warm_up(cache_dir, threads)`. It is named
    here and imported by training/registry.py, because it loads TensorFlow and a kind doesn't.
    recognise: from the names in a folder to what they mean; TrainingError for what is unclear (see layouts/layout.py).
    headline: the name of the metric that says most about a model, a key of TrainingResult.metrics.
    output_spec: from manifest.json to what input_spec.json says of the output beyond name, shape, type and labels.
    """

    train_type: str
    trainer: str
    recognise: Callable[[Tree], ClassLayout | MaskLayout]
    headline: str
    description: ModelDescription
    card: Card
    samples: Samples
    snippets: Snippets
    output_spec: Callable[[dict[str, Any]], dict[str, Any]]
