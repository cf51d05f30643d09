"""Surveys the masks of a set and decides what they mean, before the training reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.pictures.images import PictureReader
from trainer_worker.segmentation.classes import UNLABELLED, MaskClasses
from trainer_worker.segmentation.listed_rule import listed_rule
from trainer_worker.segmentation.mask_rule import BLACK_AND_WHITE, MaskRule
from trainer_worker.segmentation.mask_survey import survey
from trainer_worker.segmentation.mask_values import Coding, MaskValues
from trainer_worker.segmentation.masks import PictureShape, same_shape
from trainer_worker.segmentation.unlisted_rule import unlisted_rule

_NAMED_IN_ERRORS = 5
#: With a larger share of foreground on average, foreground and background may be mixed up.
MOSTLY_FOREGROUND = 0.85
#: A few masks, at most this share, may have foreground and background swapped if each of them has at least this much
#: foreground, and this much more than any other mask.
_FEW, _SWAPPED_FOREGROUND, _SWAPPED_GAP = 0.1, 0.5, 0.4
#: More masks may be swapped if those have at least this much foreground, and all others at most this much.
_MUCH_FOREGROUND, _LITTLE_FOREGROUND = 0.7, 0.3
#: The same as MOSTLY_FOREGROUND for palette masks. Programs order palettes as they like, so the mix-up is more likely.
MOSTLY_FOREGROUND_OF_PALETTES = 0.6


class DecidedRule(NamedTuple):
    """The rule for all masks of a set, and findings on them."""

    rule: MaskRule
    findings: tuple[Finding, ...]


class MaskShape(NamedTuple):
    """The file of a mask, its (height, width) after its own turn by EXIF, and the shape of its picture."""

    file: str
    size: tuple[int, int]
    picture: PictureShape


def decide_rule(
    reader: PictureReader,
    pairs: Sequence[tuple[Path, Path]],
    classes: MaskClasses,
    threads: int,
    on_step: Callable[[], None],
) -> DecidedRule:
    """Survey each (picture, mask). Masks that can't be read are left out here; reading them for the training says why.

    on_step: called several times a second; an exception from it ends the survey.
    Raises TrainingError bad_classes, or bad_masks for masks that fit neither their pictures nor any rule.
    """
    found = survey(reader, pairs, threads, on_step)
    require_fitting(
        [
            MaskShape(values.file, values.size, picture)
            for values, picture in found
            if isinstance(values, MaskValues) and picture is not None
        ]
    )
    masks = [each.values for each in found if isinstance(each.values, MaskValues)]
    if not masks:
        return DecidedRule(BLACK_AND_WHITE, ())
    rule, findings = listed_rule(masks, classes) if classes.listed else unlisted_rule(masks)
    return DecidedRule(rule, (*findings, *_on_foreground(masks, rule)))


def require_fitting(masks: Sequence[MaskShape]) -> None:
    """Raise TrainingError bad_masks if masks have another shape than their pictures."""
    misfits = []
    for file, mask_size, picture in masks:
        size = mask_size if picture.turn_for(mask_size) == 1 else mask_size[::-1]
        if not same_shape(size, picture.size):
            (height, width), (picture_height, picture_width) = mask_size, picture.size
            swapped = same_shape(size[::-1], picture.size)
            misfits.append((f"{file} ({width} x {height} for {picture_width} x {picture_height})", swapped))
    if not misfits:
        return
    some = ", ".join(text for text, _ in misfits[:_NAMED_IN_ERRORS])
    more = f" and {len(misfits) - _NAMED_IN_ERRORS} more" if len(misfits) > _NAMED_IN_ERRORS else ""
    if all(swapped for _, swapped in misfits):
        cure = "Their sides are swapped: save them with rows and columns in the order of the pictures."
    else:
        cure = "Save each mask in the shape of its picture, or leave the pair out."
    raise TrainingError(
        "bad_masks",
        f"{len(misfits)} of {len(masks)} masks have another shape than their pictures: {some}{more}. {cure}",
    )


def _on_foreground(masks: Sequence[MaskValues], rule: MaskRule) -> list[Finding]:
    """Findings on masks without foreground or without background. Raises TrainingError if all are foreground."""
    empty, full, shares = [], [], []
    for mask in masks:
        histogram = mask.histogram(rule.reading)
        numbers = rule.class_of(histogram.values)
        labelled = int(histogram.counts[numbers != UNLABELLED].sum())
        foreground = labelled - int(histogram.counts[numbers == 0].sum())
        shares.append(foreground / max(1, labelled))
        if labelled and not foreground:
            empty.append(mask.file)
        if labelled and foreground == labelled:
            full.append(mask.file)
    of, findings = len(masks), []
    if len(full) == of and not rule.classes.listed:
        raise TrainingError(
            "bad_masks",
            f"In all {of} masks every pixel is foreground (for example {full[0]}), so the model has nothing to learn. "
            "Save the masks with 0 where the picture doesn't show the object.",
        )
    if empty:
        sentence = f"{len(empty)} of {of} masks hold no foreground."
        cure = "This is right for pictures without any object. Otherwise draw the objects."
        severity = Severity.WARNING
        findings.append(finding("masks_empty", severity, sentence, cure, empty))
    if full and not rule.classes.listed:
        sentence = f"{len(full)} of {of} masks are foreground all over."
        cure = "If that is wrong, save the background of these masks as 0."
        findings.append(finding("masks_full", Severity.WARNING, sentence, cure, full))
    if not rule.classes.listed and (swapped := [masks[row].file for row in _swapped(shares)]):
        sentence = f"{len(swapped)} of {of} masks have far more foreground than all others."
        cure = "See whether foreground and background are swapped there, and invert these masks if they are."
        findings.append(finding("masks_swapped", Severity.WARNING, sentence, cure, swapped))
    by_palette = any(mask.coding is Coding.PALETTE for mask in masks)
    most = MOSTLY_FOREGROUND_OF_PALETTES if by_palette else MOSTLY_FOREGROUND
    if not rule.classes.listed and float(np.mean(shares)) > most:
        sentence = f"The masks are {100 * np.mean(shares):.0f} % foreground. {rule.sentence}"
        cure = "If foreground and background are swapped, invert the masks."
        findings.append(finding("masks_mostly_foreground", Severity.WARNING, sentence, cure))
    return findings


def _swapped(shares: Sequence[float]) -> list[int]:
    """The rows of masks that stand out by their share of foreground. Masks that are full are named anyway."""
    partial = [row for row in np.argsort(shares, kind="stable").tolist() if shares[row] < 1.0]
    for count in range(1, int(_FEW * len(partial)) + 1):
        least, others = shares[partial[-count]], shares[partial[-count - 1]]
        if least >= _SWAPPED_FOREGROUND and least - others >= _SWAPPED_GAP:
            return partial[-count:]
    much = [row for row in partial if shares[row] >= _MUCH_FOREGROUND]
    little = [row for row in partial if shares[row] <= _LITTLE_FOREGROUND]
    least = max(1, int(_FEW * len(partial)))
    return much if len(much) + len(little) == len(partial) and min(len(much), len(little)) > least else []
