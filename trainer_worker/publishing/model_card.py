"""Writes MODEL_CARD.md: what a model was made from, how far its scores can be trusted, and what it can't do. Pure.

The sections follow "Model Cards for Model Reporting" (Mitchell and others, 2019), as far as a training knows the facts.
"""

from __future__ import annotations

import datetime
import html
import re
from collections.abc import Sequence
from typing import Any

from protocol.percent import in_percent
from trainer_worker.publishing.kind import Card

#: How many confusions, worst pictures and warnings the card names at most. metrics.json has all of them.
NAMED = 5
#: How a picture becomes the input, by the word that the manifest has for it.
_FITS = {
    "squash": "the whole picture, squashed into the square",
    "tiles": "squares of the picture at its own resolution (the snippets for phones and the web take one square)",
}
#: With fewer held-out pictures than this, the card warns that the score is rough.
FEW_PICTURES = 30


def model_card(
    card: Card,
    manifest: dict[str, Any],
    metrics: dict[str, Any],
    samples: Sequence[dict[str, Any]],
    made_on: datetime.date,
) -> str:
    """The card. manifest, metrics: as published. samples: the entries of `held_out` that are in the pack, in order."""
    sections = [
        _head(card, manifest, made_on),
        *card.scores(metrics),
        _data(metrics),
        _limits(card),
        _checks(manifest, samples),
        _licences(manifest),
    ]
    return "\n\n".join(sections) + "\n"


def _head(card: Card, manifest: dict[str, Any], made_on: datetime.date) -> str:
    side, versions = manifest["input"]["shape"][1], manifest["versions"]
    return f"""# Model card

{card.purpose([cell(label) for label in manifest["labels"]])}

| | |
|---|---|
| task | {manifest["task_id"]} |
| trainType | {manifest["train_type"]} |
| made | {made_on.isoformat()} by TFModel, TensorFlow {versions["tensorflow"]} |
| network | {cell(manifest["backbone"]["network"])}, pretrained on ImageNet, with layers for this task |
| input | {side} x {side} pixels, RGB, 0 to 255: {_FITS[manifest["input"]["fit"]]}; see `input_spec.json` |
| seed | {manifest["seed"]} |"""


def _data(metrics: dict[str, Any]) -> str:
    images = metrics["images"]
    text = f"""## Data

{sum(images.values())} pictures of the project: {images["train"]} trained the model, and {images["held_out"]} were
held out to score it. Copies of a picture, and series of one object, are never in both sets.
Files that were skipped: {len(metrics["skipped"])}; `metrics.json` beside the model lists them with the reasons."""
    warnings = [f"- {cell(warning)}" for warning in metrics["warnings"][:NAMED]]
    if len(metrics["warnings"]) > NAMED:
        warnings.append(f"- and {len(metrics['warnings']) - NAMED} more in `metrics.json`")
    return text + ("\n\nWarnings:\n\n" + "\n".join(warnings) if warnings else "\n\nWarnings: none.")


def _limits(card: Card) -> str:
    return f"""## Limits

{card.limits}
- It may do much worse on pictures unlike those that trained it (another camera, light, background or distance).
- Held-out pictures come from the same folder. Near-copies in it that were not recognised make the score too high.
- Try it on pictures of the place of use before relying on it. It is not for decisions on people's safety or rights."""


def _checks(manifest: dict[str, Any], samples: Sequence[dict[str, Any]]) -> str:
    formats = [
        f"| {cell(check['file'])} | {in_percent(check['score'])} | {check['max_difference']:.1e} |"
        for check in manifest["exports"]["formats"]
    ]
    rows = "\n".join(formats)
    name, score = manifest["exports"]["score_name"], manifest["exports"]["trained_model_score"]
    files = "\n".join(f"- `samples/{number}.png`: {cell(e['file'])}" for number, e in enumerate(samples, start=1))
    return f"""## How it was checked

Each exported file was loaded again from disk and run on {manifest["exports"]["pictures"]} held-out pictures, or
squares of them. The trained model has a `{name}` of {in_percent(score)} there:

| file | `{name}` | largest difference of an output |
|---|---|---|
{rows}

`samples/` holds held-out pictures as the model gets them, and in `expected.json` the outputs of this `model.tflite` for
them. `python python/predict.py --check` compares them with the outputs on your machine.

{files}"""


def _licences(manifest: dict[str, Any]) -> str:
    backbone = manifest["backbone"]
    return f"""## Licences

- Network and pretrained weights: {cell(backbone["network"])}, {cell(backbone["licence"])}.
- Snippets: part of TFModel, Apache-2.0.
- The photos, including those in `samples/`, and what was learned from them belong to their owners. Make sure that you
  have the right to pass this package on before you do so."""


def cell(text: str) -> str:
    """Escape somebody else's text for Markdown: one line, without table borders and markup."""
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", html.escape(" ".join(str(text).split()), quote=False))
