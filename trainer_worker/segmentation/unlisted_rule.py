"""Decides what the masks of a set mean where no file lists classes: foreground and background. Pure.

docs/layouts.md, "What the values of a mask mean", says the rules in words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.layouts.layout import MAX_CLASSES
from trainer_worker.segmentation.class_hints import about_255, fitting_list, listed_levels, named, strays
from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, UNLABELLED
from trainer_worker.segmentation.mask_levels import (
    LEAST_TOUCHING,
    MOST_UNDECIDED,
    Levels,
    find_levels,
    reading_of,
    touching_share,
    undecided_share,
)
from trainer_worker.segmentation.mask_rule import MaskRule
from trainer_worker.segmentation.mask_values import TRANSPARENT, Coding, MaskValues, Reading, packed, unpacked

Area = tuple[float, ...]

#: A colour counts as black if none of its channels is larger than this.
_DARK = 32
#: The rarer of two values is the foreground if it has at most this share of the pixels.
_CLEARLY_RARER = 0.4
#: White in pictures of 1, 8 and 16 bits.
_WHITES = frozenset({1.0, 255.0, 65535.0})
#: PASCAL VOC paints the rims of objects in this colour.
VOID_COLOUR = packed((224, 224, 192))
#: A value other than the usual ones, such as 255, counts as unlabelled if at most this share of the pixels has it.
_MOST_VOID = 0.1
#: Oxford-IIIT Pet: 1 is the animal, 2 the background, 3 the border between them. The border is wide in places.
_PETS = {1.0, 2.0, 3.0}
_PETS_BACKGROUND: Area = (2.0,)
_PETS_BORDER: Area = (3.0,)
_PETS_TOUCHING = 0.5
#: A mask that numbers its objects has at least this share of the numbers from 1 to its largest one.
_FULL_NUMBERS = 0.8


def unlisted_rule(masks: Sequence[MaskValues]) -> tuple[MaskRule, list[Finding]]:
    """The rule for all masks, and what their owner should know of it. Raises TrainingError bad_classes, bad_masks."""
    if rule := _probabilities(masks) or _instances(masks):
        return rule, [_said(rule, masks)]
    reading = reading_of(masks)
    levels = find_levels(masks, reading)
    if not levels.areas or undecided_share(levels, reading) > MOST_UNDECIDED:
        raise no_masks_at_all(masks, levels)
    rule, severity = _of_levels(masks, levels, reading)
    return rule, [_said(rule, masks, severity)]


def _said(rule: MaskRule, masks: Sequence[MaskValues], severity: Severity = Severity.INFO) -> Finding:
    cure = "" if severity is Severity.INFO else "If that is wrong, save the masks with 0 and 255, or add a classes.txt."
    return finding("mask_values", severity, rule.sentence, cure, [mask.file for mask in masks])


def _of_levels(masks: Sequence[MaskValues], levels: Levels, reading: Reading) -> tuple[MaskRule, Severity]:
    areas, void = list(levels.areas), _void(levels, masks, reading)
    severity = Severity.INFO
    if void is not None:
        areas.remove(void)
        usual = void == _PETS_BORDER or _is_usual_void(void[0], masks, reading)
        severity = Severity.INFO if usual else Severity.WARNING
    if len(areas) > 2:
        if reading is Reading.NUMBERS and _are_whites(masks, levels):
            areas = [area for area in areas if area[0] == 0] + [tuple(a[0] for a in areas if a[0] != 0)]
            severity = Severity.WARNING
        else:
            raise _too_many(masks, levels, reading)
    if void == _PETS_BORDER:
        background, why = _PETS_BACKGROUND, "this is how the trimaps of Oxford-IIIT Pet are drawn"
    else:
        background, why = _background(areas, levels, reading)
    others = [area for area in areas if area != background]
    meaning = dict.fromkeys(background, 0) | {value: 1 for area in others for value in area}
    meaning |= dict.fromkeys(void or (), UNLABELLED)
    object_is = " and ".join(named(value, masks, reading) for area in others for value in area[:3])
    sentence = f"Foreground is {object_is or 'missing'}"
    sentence += f", background {named(background[0], masks, reading)}" if background else ""
    sentence += f": {why}." if why else "."
    if void is not None:
        name = named(void[0], masks, reading)
        sentence += f" {name.capitalize()}, which lies along the edges of objects, counts as unlabelled."
    if levels.soft:
        sentence += f" {len(levels.soft)} values between them (blurred edges or noise) count as the nearer one."
    return MaskRule(FOREGROUND_OR_NOT, reading, meaning, bool(levels.soft), sentence), severity


def _background(areas: Sequence[Area], levels: Levels, reading: Reading) -> tuple[Area, str]:
    """Which of at most two areas is the background, and by which rule; () if there is none."""
    for area in areas:
        if TRANSPARENT in area:
            return area, "what is transparent is the background"
    dark = [area for area in areas if _is_dark(area[0], areas, levels, reading)]
    if len(areas) < 2:
        return (dark[0], "") if dark else ((), "")
    if len(dark) == 1:
        is_zero = reading is not Reading.COLOURS and dark[0][0] == 0
        return dark[0], "0 is the background" if is_zero else "the darker of the two is the background"
    rarer = min(areas, key=levels.pixels_of)
    share = levels.pixels_of(rarer) / max(1, sum(map(levels.pixels_of, areas)))
    if share > _CLEARLY_RARER:
        raise TrainingError(
            "bad_masks",
            f"The masks hold two values, {listed_levels(levels, reading)}, and nothing tells which one is the object: "
            "neither is 0 or black, and both are about as frequent. Save the masks with 255 for the object and 0 for "
            "the rest, or add a classes.txt.",
        )
    other = next(area for area in areas if area != rarer)
    return other, f"the rarer of the two, with {100 * share:.0f} % of the pixels, is the foreground"


def _is_dark(value: float, areas: Sequence[Area], levels: Levels, reading: Reading) -> bool:
    """Whether a value is 0 or black, or nearly so in masks with soft edges or noise."""
    if reading is Reading.COLOURS:
        return value < 0x1000000 and max(unpacked(value)) <= _DARK
    brightest = max(abs(area[0]) for area in areas)
    return value == 0 or (bool(levels.soft) and 0 <= value <= brightest / 8)


def _void(levels: Levels, masks: Sequence[MaskValues], reading: Reading) -> Area | None:
    """The third of three areas if it lies along the edges of objects: pixels that nobody labelled."""
    if len(levels.areas) != 3:
        return None
    if {area[0] for area in levels.areas} == _PETS and reading is Reading.NUMBERS:
        return _PETS_BORDER if touching_share(levels, 3.0) >= _PETS_TOUCHING else None
    usual = [area for area in levels.areas if _is_usual_void(area[0], masks, reading)]
    candidate = usual[0] if usual else levels.areas[-1]  # else the rarest
    if not usual and levels.share_of(candidate) > _MOST_VOID:
        return None
    holds_zero = any(_is_dark(area[0], levels.areas, levels, reading) for area in levels.areas if area != candidate)
    if not (holds_zero and touching_share(levels, candidate[0]) >= LEAST_TOUCHING):
        return None
    return candidate


def _is_usual_void(value: float, masks: Sequence[MaskValues], reading: Reading) -> bool:
    """Whether this is the value, index or colour with which data sets mark pixels that nobody labelled."""
    if reading is not Reading.COLOURS:
        return reading is Reading.NUMBERS and value == UNLABELLED
    of_palettes = {mask.palette[UNLABELLED] for mask in masks if UNLABELLED in mask.palette}
    return value == VOID_COLOUR or value in of_palettes


def _are_whites(masks: Sequence[MaskValues], levels: Levels) -> bool:
    """Whether each mask holds 0 and one kind of white, but not all masks the same kind."""
    if not {area[0] for area in levels.areas} <= {0.0, *_WHITES}:
        return False
    return all(len(_WHITES.intersection(mask.drawn.values.tolist())) < 2 for mask in masks)


def _probabilities(masks: Sequence[MaskValues]) -> MaskRule | None:
    """The rule for numbers from 0 to 1 that are not whole."""
    numbers = [mask for mask in masks if mask.is_fraction]
    if not any(mask.distinct > 2 for mask in numbers) or any(mask.coding is not Coding.GREY for mask in masks):
        return None
    if min(mask.lowest for mask in masks) < 0 or max(mask.highest for mask in masks) > 1:
        return None
    sentence = "The masks hold numbers from 0 to 1, which were taken as probabilities: foreground is what is above 0.5."
    return MaskRule(FOREGROUND_OR_NOT, Reading.NUMBERS, {0.0: 0, 1.0: 1}, takes_nearest=True, sentence=sentence)


def _instances(masks: Sequence[MaskValues]) -> MaskRule | None:
    """The rule for masks that number their objects from 1 up, with more numbers than there can be classes."""
    if any(mask.coding is not Coding.GREY or mask.lowest < 0 or mask.is_fraction or mask.is_lossy for mask in masks):
        return None
    if max(mask.highest for mask in masks) <= MAX_CLASSES or max(mask.distinct for mask in masks) <= MAX_CLASSES + 1:
        return None
    if any(mask.distinct - 1 < _FULL_NUMBERS * mask.highest for mask in masks):
        return None
    areas = sum(int((mask.drawn.inside > 0).sum()) for mask in masks if mask.distinct > 2)
    if areas < _FULL_NUMBERS * sum(len(mask.drawn.values) for mask in masks if mask.distinct > 2):
        return None
    highest = max(mask.highest for mask in masks)
    sentence = f"The masks number their objects, from 1 to {highest:g}: every number above 0 is foreground."
    whole = {float(number): 1 for number in np.arange(1, highest + 1)}
    return MaskRule(FOREGROUND_OR_NOT, Reading.NUMBERS, {0.0: 0, **whole}, sentence=sentence)


def _too_many(masks: Sequence[MaskValues], levels: Levels, reading: Reading) -> TrainingError:
    return TrainingError(
        "bad_classes",
        f"The masks hold {len(levels.areas)} kinds of pixels, and no classes.txt says what they mean: "
        f"{listed_levels(levels, reading)}. Without it there may be only two: foreground and background. "
        f"{strays(levels, masks, reading)}Add a classes.txt with one line for each class, background first. This one "
        f"would fit, with names of your own:\n{fitting_list(levels, reading)}\n{about_255(levels, reading)}"
        "If the numbers only count objects of one kind, save the masks with 255 for all of them.",
    )


def no_masks_at_all(masks: Sequence[MaskValues], levels: Levels) -> TrainingError:
    most = max(masks, key=lambda mask: mask.distinct)
    return TrainingError(
        "bad_masks",
        f"The files that should be masks look like photos: they hold {len(levels.all.values)} or more values and no "
        f"areas of one value (for example {most.file}, with {most.distinct} values). A mask has one value for the "
        "object and one for the rest. Check whether pictures and masks were mixed up.",
    )
