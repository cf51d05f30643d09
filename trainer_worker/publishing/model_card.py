"""MODEL_CARD.md: what a model was made from, how far its scores can be trusted, and what it can't do. Pure text.

After "Model Cards for Model Reporting" (Mitchell and others, 2019), with the facts that a training has at hand.
"""

from __future__ import annotations

import datetime
import html
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Confusions, worst pictures and warnings that the card names; metrics.json has all.
NAMED = 5
#: With fewer held-out pictures than this the card says in words that the score is rough.
FEW_PICTURES = 30
Z_95 = 1.959964
RESAMPLES = 2000


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, `right` of `of` > 0 (Wilson, 1927): sound also for few pictures and near 0 or 1."""
    share, z2 = right / of, Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean, from the means of drawings with replacement (Efron, 1979); always the same draw."""
    drawn = np.random.default_rng(0).choice(np.asarray(values, float), (RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def model_card(
    manifest: dict[str, Any], metrics: dict[str, Any], samples: Sequence[dict[str, Any]], made_on: datetime.date
) -> str:
    """manifest, metrics: as published. samples: the entries of `held_out` that are in the pack, in order."""
    segmenting = manifest["train_type"] == "segmentation"
    sections = [
        _head(manifest, made_on),
        *(_mask_scores(metrics) if segmenting else _class_scores(metrics)),
        _data(metrics),
        _limits(manifest),
        _checks(manifest, samples),
        _licences(manifest),
    ]
    return "\n\n".join(sections) + "\n"


def _head(manifest: dict[str, Any], made_on: datetime.date) -> str:
    labels = [_cell(label) for label in manifest["labels"]]
    if manifest["train_type"] == "segmentation":
        does = "Tells for each pixel of a picture how likely it is foreground."
    else:
        does = f"Says which of {len(labels)} things a picture shows: {', '.join(labels)}."
    side, versions = manifest["input"]["shape"][1], manifest["versions"]
    return f"""# Model card

{does}

| | |
|---|---|
| task | {manifest["task_id"]} |
| trainType | {manifest["train_type"]} |
| made | {made_on.isoformat()} by TFModel, TensorFlow {versions["tensorflow"]} |
| network | {_cell(manifest["backbone"]["network"])}, pretrained on ImageNet, with a part of its own for this task |
| input | {side} x {side} pixels, RGB, 0 to 255; see `input_spec.json` |
| seed | {manifest["seed"]} |"""


def _class_scores(metrics: dict[str, Any]) -> list[str]:
    confusion = np.asarray(metrics["confusion_matrix"])
    of, right = int(confusion.sum()), int(np.trace(confusion))
    low, high = wilson(right, of)
    text = f"""## How good it is

**Right on {right} of {of} held-out pictures: {right / of:.1%}.** They took no part in the training.

With other pictures of the same kind, expect a share between **{low:.0%} and {high:.0%}** (the 95 % interval, Wilson).
Always answering the most frequent class would be right on {metrics["baseline"]["majority_class_accuracy"]:.0%}."""
    if of < FEW_PICTURES:
        text += f"\n{of} pictures are few: take the score as a rough hint, and hold out more."
    return [text, _class_table(metrics), _confusions(confusion, metrics["labels"])]


def _class_table(metrics: dict[str, Any]) -> str:
    rows = ["| class | pictures | held out | found (recall) | right when named (precision) |", "|---|---|---|---|---|"]
    times_named = np.asarray(metrics["confusion_matrix"]).sum(axis=0)
    for entry, named in zip(metrics["per_class"], times_named, strict=True):
        tested = entry["support"] > 0
        recall = f"{entry['recall']:.0%}" if tested else "not tested"
        precision = f"{entry['precision']:.0%}" if named else "never named"
        name, images = _cell(entry["label"]), metrics["images_per_class"][entry["label"]]
        rows.append(f"| {name} | {images} | {entry['support']} | {recall} | {precision} |")
    return "\n".join(rows)


def _confusions(confusion: Any, labels: Sequence[str]) -> str:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "Worst confusions: none among the held-out pictures."
    pairs = sorted(np.argwhere(wrong > 0).tolist(), key=lambda pair: (-int(wrong[pair[0], pair[1]]), pair))
    rows = [
        f"- {_cell(labels[true])} taken for {_cell(labels[given])}: {wrong[true, given]} of {confusion[true].sum()}"
        for true, given in pairs[:NAMED]
    ]
    return "Worst confusions:\n\n" + "\n".join(rows)


def _mask_scores(metrics: dict[str, Any]) -> list[str]:
    entries = sorted(metrics["held_out"], key=lambda entry: (entry["dice"], entry["file"]))
    dice = [entry["dice"] for entry in entries]
    low, high = bootstrap(dice)
    quarter, middle, three_quarters = np.percentile(dice, (25, 50, 75))
    text = f"""## How good it is

**Dice {metrics["final"]["dice"]:.3f}, IoU {metrics["final"]["iou"]:.3f}**: the means of {len(dice)} held-out pictures,
which took no part in the training. Dice is how far the model's foreground and the true one overlap: 0 not at all, 1
exactly. Marking everything as foreground would give {metrics["baseline"]["all_foreground_dice"]:.3f}.

With other pictures of the same kind, expect a mean Dice between **{low:.2f} and {high:.2f}** (95 %, bootstrap).
Half of the held-out pictures lie between {quarter:.2f} and {three_quarters:.2f}, the middle one at {middle:.2f}."""
    if len(dice) < FEW_PICTURES:
        text += f"\n{len(dice)} pictures are few: take the score as a rough hint, and hold out more."
    worst = "\n".join(f"- {_cell(entry['file'])}: {entry['dice']:.2f}" for entry in entries[:NAMED])
    return [text, f"Worst held-out pictures (Dice):\n\n{worst}"]


def _data(metrics: dict[str, Any]) -> str:
    images = metrics["images"]
    chose = f"{images['validation']} chose its best epoch, " if "validation" in images else ""
    text = f"""## Data

{sum(images.values())} pictures of the project: {images["train"]} trained the model, {chose}{images["held_out"]} were
held out to score it. Byte-identical copies are kept on one side.
Files that were skipped: {len(metrics["skipped"])}; `metrics.json` beside the model lists them with the reasons."""
    warnings = [f"- {_cell(warning)}" for warning in metrics["warnings"][:NAMED]]
    if len(metrics["warnings"]) > NAMED:
        warnings.append(f"- and {len(metrics['warnings']) - NAMED} more in `metrics.json`")
    return text + ("\n\nWarnings:\n\n" + "\n".join(warnings) if warnings else "\n\nWarnings: none.")


def _limits(manifest: dict[str, Any]) -> str:
    if manifest["train_type"] == "segmentation":
        own = "- It knows one kind of foreground, and gives a mask also for pictures that hold nothing of the kind."
    else:
        own = (
            "- It knows these classes only, and names one of them for every picture, whatever it shows.\n"
            "- A probability orders the answers; it is no measured chance of being right."
        )
    return f"""## Limits

{own}
- Pictures unlike the photos it was trained on (another camera, light, background, distance) may do much worse.
- Held-out pictures come from the same folder: near-copies, such as frames of one film, make the score too good.
- Try it on pictures of the place of use before relying on it. It is not for decisions on people's safety or rights."""


def _checks(manifest: dict[str, Any], samples: Sequence[dict[str, Any]]) -> str:
    formats = [
        f"| {_cell(check['file'])} | {check['score']:.4f} | {check['max_difference']:.1e} |"
        for check in manifest["exports"]["formats"]
    ]
    rows = "\n".join(formats)
    score = manifest["exports"]["trained_model_score"]
    files = "\n".join(f"- `samples/{number}.png`: {_cell(e['file'])}" for number, e in enumerate(samples, start=1))
    return f"""## How it was checked

Each exported file was loaded again from disk and run on all held-out pictures. The trained model scores {score:.4f}:

| file | score | largest difference of an output |
|---|---|---|
{rows}

`samples/` holds held-out pictures as the model gets them, and `expected.json` what this very `model.tflite` said of
them. `python python/predict.py --check` repeats that on your machine.

{files}"""


def _licences(manifest: dict[str, Any]) -> str:
    backbone = manifest["backbone"]
    return f"""## Licences

- Network and pretrained weights: {_cell(backbone["network"])}, {_cell(backbone["licence"])}.
- Snippets: part of TFModel, Apache-2.0.
- The photos, also those in `samples/`, and what was learned from them remain their owners'. Before you pass this
  package on, see that you may."""


def _cell(text: str) -> str:
    """Text of others inside of Markdown: one line, no table borders, no markup."""
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", html.escape(" ".join(str(text).split()), quote=False))
