"""Decides what the masks of a set mean where a small file lists their classes. Pure.

docs/layouts.md, "What the values of a mask mean", says the rules in words.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.layouts.mask_class_lists import voc_colour
from trainer_worker.segmentation.class_hints import fitting_list, holders, listed_levels, some_files, value_text
from trainer_worker.segmentation.classes import UNLABELLED, MaskClasses, unknown_values
from trainer_worker.segmentation.mask_levels import Levels, find_levels
from trainer_worker.segmentation.mask_rule import MaskRule
from trainer_worker.segmentation.mask_values import TRANSPARENT, Coding, MaskValues, Reading, packed
from trainer_worker.segmentation.unlisted_rule import VOID_COLOUR, no_masks_at_all

_MOST_NAMED = 5


def listed_rule(masks: Sequence[MaskValues], classes: MaskClasses) -> tuple[MaskRule, list[Finding]]:
    """The rule for all masks, and what their owner should know of it. Raises TrainingError bad_classes."""
    colours = _colours_in(masks, classes)
    if colours:
        return _by_colour(masks, classes, colours)
    coloured = [mask for mask in masks if mask.coding is Coding.COLOUR]
    if len(coloured) == len(masks):
        levels = find_levels(masks, Reading.COLOURS)
        raise TrainingError(
            "bad_classes",
            f"The masks are coloured, and the list of classes doesn't say which colour is which class: "
            f"{listed_levels(levels, Reading.COLOURS)}. Write the colour behind each name; this classes.txt would fit, "
            f"with names of your own:\n{fitting_list(levels, Reading.COLOURS)}",
        )
    return _by_number([mask for mask in masks if mask.coding is not Coding.COLOUR and not mask.is_lossy], classes)


def _colours_in(masks: Sequence[MaskValues], classes: MaskClasses) -> dict[float, int]:
    """The colour of each class, if the masks are to be read by their colours; {} if by their numbers."""
    coloured = any(mask.coding is Coding.COLOUR for mask in masks)
    colours = {float(packed(colour)): number for number, colour in enumerate(classes.colours) if colour}
    if not colours:
        if not coloured:
            return {}
        colours = {float(packed(voc_colour(number))): number for number in range(len(classes.names))}
        levels = find_levels(masks, Reading.COLOURS)
        known = colours.keys() | {float(VOID_COLOUR), float(TRANSPARENT)}
        return colours if all(known.intersection(area) for area in levels.areas) else {}
    numbers = {value for number in range(len(classes.names)) if (value := classes.value_of(number)) is not None}
    by_colour = _explained(masks, Reading.COLOURS, set(colours))
    by_number = _explained(masks, Reading.NUMBERS, {float(value) for value in numbers})
    return colours if coloured or not numbers or by_colour >= by_number else {}


def _explained(masks: Sequence[MaskValues], reading: Reading, known: set[float]) -> int:
    """The number of pixels whose value is known, is for unlabelled pixels, or is transparent."""
    known = known | {float(UNLABELLED), float(VOID_COLOUR), float(TRANSPARENT)}
    found = [mask.histogram(reading) for mask in masks]
    return sum(
        int(count) for each in found for value, count in zip(each.values, each.counts, strict=True) if value in known
    )


def _by_colour(
    masks: Sequence[MaskValues], classes: MaskClasses, colours: dict[float, int]
) -> tuple[MaskRule, list[Finding]]:
    levels = find_levels(masks, Reading.COLOURS)
    if not levels.areas:
        raise no_masks_at_all(masks, levels)
    of_palettes = {float(mask.palette[UNLABELLED]) for mask in masks if UNLABELLED in mask.palette}
    unlabelled = ({float(VOID_COLOUR)} | of_palettes) - colours.keys()
    meaning = dict.fromkeys(unlabelled, UNLABELLED) | colours
    unknown = [area for area in levels.areas if not (meaning.keys() | {float(TRANSPARENT)}).intersection(area)]
    if unknown:
        strangers = Levels(tuple(unknown), (), levels.all)
        raise TrainingError(
            "bad_classes",
            f"The masks hold colours that the list of classes doesn't have: "
            f"{listed_levels(strangers, Reading.COLOURS)} of all pixels, in "
            f"{some_files(holders([value for area in unknown for value in area], masks, Reading.COLOURS))}. Listed are "
            f"{', '.join(value_text(value, Reading.COLOURS) for value in list(colours)[:_MOST_NAMED])}"
            f"{' and others' if len(colours) > _MOST_NAMED else ''}. Correct the masks, or add lines such as "
            f"'name {value_text(unknown[0][0], Reading.COLOURS).removeprefix('colour ')}' to the list.",
        )
    named = "the colours of its list" if classes.colours else "the colours that PASCAL VOC gives to class numbers"
    sentence = f"The masks were read by {named}."
    severity = Severity.INFO
    if levels.soft:
        severity = Severity.WARNING if len(classes.names) > 2 else Severity.INFO
        sentence += f" {len(levels.soft)} colours between them (blurred edges or noise) count as the nearest one."
    rule = MaskRule(classes, Reading.COLOURS, meaning, bool(levels.soft), sentence)
    cure = "" if severity is Severity.INFO else "Save the masks as PNG, without smoothing their edges."
    return rule, [finding("mask_values", severity, sentence, cure, [mask.file for mask in masks])]


def _by_number(masks: Sequence[MaskValues], classes: MaskClasses) -> tuple[MaskRule, list[Finding]]:
    numbers = {classes.value_of(number): number for number in range(len(classes.names))}
    meaning = {float(value): number for value, number in numbers.items() if value is not None}
    meaning.setdefault(float(UNLABELLED), UNLABELLED)
    findings = []
    only_255 = [mask for mask in masks if _holds_only_255(mask, meaning)]
    if only_255 and meaning[UNLABELLED] == UNLABELLED:
        # 255 stands for the one class if no mask holds both 255 and the class's number.
        both = [mask for mask in masks if _holds(mask, UNLABELLED) and _other_than_0(mask, meaning)]
        if len(classes.names) == 2 and not both:
            meaning[float(UNLABELLED)] = 1
        findings.append(_only_255(only_255, len(masks), classes, meaning[float(UNLABELLED)]))
    found = []
    for mask in masks:
        known = {*meaning, float(TRANSPARENT)}
        if unknown := [float(value) for value in sorted(mask.drawn.values.tolist()) if value not in known]:
            found.append((mask.file, unknown))
    if found:
        raise unknown_values(classes, found)
    sentence = "The masks were read by the numbers of the classes in the list."
    findings.insert(0, finding("mask_values", Severity.INFO, sentence, "", [mask.file for mask in masks]))
    return MaskRule(classes, Reading.NUMBERS, meaning, sentence=sentence), findings


def _holds(mask: MaskValues, value: float) -> bool:
    return mask.drawn.count_of(value) > 0


def _other_than_0(mask: MaskValues, meaning: dict[float, int]) -> bool:
    """Whether the mask holds the number of a class besides the background."""
    return any(meaning.get(value) not in (None, 0, UNLABELLED) for value in mask.drawn.values.tolist())


def _holds_only_255(mask: MaskValues, meaning: dict[float, int]) -> bool:
    background = any(meaning.get(value) == 0 for value in mask.drawn.values.tolist())
    return background and _holds(mask, UNLABELLED) and not _other_than_0(mask, meaning) and mask.distinct == 2


def _only_255(masks: Sequence[MaskValues], of: int, classes: MaskClasses, taken_for: int) -> Finding:
    files = [mask.file for mask in masks]
    said = f"{len(masks)} of {of} masks hold only the background and {UNLABELLED}."
    if taken_for == 1:
        sentence = f"{said} No mask holds {UNLABELLED} beside a class, so it was read as {classes.names[1]!r}."
        cure = f"If they are unlabelled, leave these masks out. Otherwise save them with 1 in place of {UNLABELLED}."
        return finding("mask_white_is_class", Severity.WARNING, sentence, cure, files)
    sentence = f"{said} {UNLABELLED} stands for pixels that nobody labelled, so these masks show no object."
    cure = f"If {UNLABELLED} is meant as an object, save it with the number of its class."
    return finding("mask_only_unlabelled", Severity.WARNING, sentence, cure, files)
