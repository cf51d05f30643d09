"""Says which values masks hold, and writes the classes.txt that would fit them. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from trainer_worker.layouts.layout import MAX_CLASSES
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.mask_levels import Levels
from trainer_worker.segmentation.mask_values import TRANSPARENT, Coding, MaskValues, Reading, unpacked

#: A value that at most this share of the masks holds may be a mistake.
_FEW_MASKS = 0.1
#: How many files an error names.
_MOST_FILES = 5
#: How many values an error lists, and how many lines of a classes.txt it prints.
_MOST_LISTED = 12
_MOST_LINES = 20


def value_text(value: float, reading: Reading) -> str:
    """A value for a list of values, such as `colour 255 0 0`."""
    if value == TRANSPARENT:
        return "transparent"
    if reading is Reading.COLOURS and value < 0x1000000:
        return "colour {} {} {}".format(*unpacked(value))
    return f"{'opacity ' if reading is Reading.ALPHA else ''}{value:g}"


def named(value: float, masks: Sequence[MaskValues], reading: Reading) -> str:
    """A value for a sentence, with its palette index if all masks have the same one for it."""
    text = value_text(value, reading)
    if reading is Reading.NUMBERS:
        return f"the value {text}"
    indexes = {
        index
        for mask in masks
        if mask.coding is Coding.PALETTE
        for index, colour in mask.palette.items()
        if colour == value
    }
    return f"{text} (palette index {indexes.pop()})" if len(indexes) == 1 else text


def listed_levels(levels: Levels, reading: Reading) -> str:
    """Each area's value with its share of all pixels."""
    some = [
        f"{value_text(area[0], reading)} ({100 * levels.share_of(area):.1f} %)" for area in levels.areas[:_MOST_LISTED]
    ]
    more = f" and {len(levels.areas) - _MOST_LISTED} more" if len(levels.areas) > _MOST_LISTED else ""
    return ", ".join(some) + more


def holders(area: Sequence[float], masks: Sequence[MaskValues], reading: Reading) -> list[str]:
    """The files of the masks that hold one of these values."""
    return [mask.file for mask in masks if not set(area).isdisjoint(mask.histogram(reading).values.tolist())]


def some_files(files: Sequence[str]) -> str:
    more = f" and {len(files) - _MOST_FILES} more" if len(files) > _MOST_FILES else ""
    return ", ".join(files[:_MOST_FILES]) + more


def strays(levels: Levels, masks: Sequence[MaskValues], reading: Reading) -> str:
    """A sentence on values that only a few of the masks hold; "" if there are none."""
    found = [(value_text(area[0], reading), holders(area, masks, reading)) for area in levels.areas]
    few = [(text, files) for text, files in found if 0 < len(files) <= _FEW_MASKS * len(masks)]
    if not few:
        return ""
    said = "; ".join(f"{text} is only in {some_files(files)}" for text, files in few[:_MOST_FILES])
    return f"Of {len(masks)} masks, {said}. If that is a mistake, correct these masks or leave them out. "


def _marks_unlabelled(levels: Levels, reading: Reading) -> bool:
    """Whether 255 lies beside numbers that a list can have, so that it would be unlabelled."""
    values = {area[0] for area in levels.areas}
    numbers = values - {UNLABELLED}
    listable = all(value == int(value) and 0 <= value < MAX_CLASSES for value in numbers)
    return reading is Reading.NUMBERS and UNLABELLED in values and listable


def about_255(levels: Levels, reading: Reading) -> str:
    """What becomes of 255 with the list that fits; "" if the masks don't hold it beside the numbers of classes."""
    if not _marks_unlabelled(levels, reading):
        return ""
    return "255 then counts as unlabelled. If it is a class, save it with the next free number.\n"


def fitting_list(levels: Levels, reading: Reading) -> str:
    """The lines of a classes.txt with these areas as classes."""
    values = [area[0] for area in levels.areas if area[0] != TRANSPARENT]
    if _marks_unlabelled(levels, reading):
        values.remove(UNLABELLED)
    if reading is Reading.NUMBERS and all(value == int(value) and 0 <= value < MAX_CLASSES for value in values):
        lines = ["background", *(f"class_{number}" for number in range(1, int(max(values)) + 1))]
    elif reading is Reading.NUMBERS and max(values) > 255:  # to be saved with numbers that can be listed
        lines = ["background", *(f"class_{number}" for number in range(1, len(values)))]
    else:
        colours = [unpacked(value) if reading is Reading.COLOURS else (int(value),) * 3 for value in sorted(values)]
        lines = [
            f"{f'class_{number}' if number else 'background'} {red} {green} {blue}"
            for number, (red, green, blue) in enumerate(colours)
        ]
    more = [f"… ({len(lines)} lines in all)"] if len(lines) > _MOST_LINES else []
    return "\n".join([*lines[:_MOST_LINES], *more])
