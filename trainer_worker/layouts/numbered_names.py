"""Pictures and masks that are called by numbers: what pairs by them, and numbers that are shifted."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from trainer_worker.layouts.mask_words import FIRST_CHANNEL, mask_readings, picture_readings
from trainer_worker.layouts.name_matching import NameMatching
from trainer_worker.layouts.named_file import NamedFile

OTHER_ZEROS = "<name>, with other zeros in front of its number"
NUMBER_ALONE = "the number alone"
#: Fewer files may have numbers at the same distance, or the same numbers, by chance.
_LEAST_NUMBERED = 3
_LAST_NUMBER = re.compile(r"(?P<before>.*?)(?P<number>\d{1,15})(?P<after>\D*)")
#: Zeros in front of the last number, which is no decimal place (1.05 is not 1.5).
_ZEROS = re.compile(r"(?<!\d)(?<!\d\.)0+(?=\d+\D*$)")

_Place = tuple[str, ...]


class SeriesKey(NamedTuple):
    """What the files of one series share: the place of their folder, and their name around the last number."""

    place: _Place
    before: str
    after: str


_Series = dict[SeriesKey, dict[int, NamedFile]]


class Shift(NamedTuple):
    """sentence: how the numbers differ. picture, mask: a file of each series that has no partner."""

    sentence: str
    picture: NamedFile
    mask: NamedFile


def pair_other_zeros(matching: NameMatching, in_mask_folder: Set[int]) -> None:
    """Pair names within one place that differ only in the zeros in front of the last number: 7 and 0007.

    Words for pictures and masks don't count: img_7 pairs with mask_0007. A mask outside the folders of masks needs such
    a word. Nothing pairs where two pictures or two masks would have the same name without zeros.
    """
    files, found = matching.files, matching.found
    pictures, masks = matching.left()
    paired = [*found.masks, *found.taken]
    settled = {(files[n].meaning.place, _without_zeros(files[n].stem)) for n in paired}
    shown: dict[tuple[_Place, str], list[int]] = defaultdict(list)
    drawn: dict[tuple[_Place, str], list[int]] = defaultdict(list)
    for number in pictures:
        readings = picture_readings(files[number].stem)
        bases = {_without_zeros(base) for base, affix in readings if affix != FIRST_CHANNEL}
        for base in bases:
            shown[files[number].meaning.place, base].append(number)
    for number in masks:
        readings_of_mask = [reading for reading in mask_readings(files[number].stem) if not reading.numbered]
        bases = {_without_zeros(r.base) for r in readings_of_mask if number in in_mask_folder or r.affix}
        for base in bases:
            drawn[files[number].meaning.place, base].append(number)
    pairs: dict[int, int] = {}
    for key in (drawn.keys() & shown.keys()) - settled:
        if len(drawn[key]) == len(shown[key]) == 1:
            pairs.setdefault(shown[key][0], drawn[key][0])
    _take(matching, pairs, OTHER_ZEROS)


def pair_by_number_alone(matching: NameMatching, in_mask_folder: Set[int]) -> None:
    """Pair the pictures and masks of a place that have the same numbers, and otherwise other names.

    In frame_1 and mask_001, or in IMG_7 and 7, the name of one says nothing but its number. All pictures of the place
    must be one series and all masks another one, with the same numbers, so that nothing else can be meant.
    """
    files = matching.files
    pictures, masks = matching.left()
    settled = {files[number].meaning.place for number in matching.found.masks}
    shown, drawn = _whole_places(files, pictures), _whole_places(files, masks)
    pairs: dict[int, int] = {}
    for place in (shown.keys() & drawn.keys()) - settled:
        of_pictures, of_masks = shown[place], drawn[place]
        if of_pictures.keys() != of_masks.keys() or len(of_masks) < _LEAST_NUMBERED:
            continue
        picture, mask = next(iter(of_pictures.values())), next(iter(of_masks.values()))
        bases = [reading.base for reading in mask_readings(files[mask].stem) if not reading.numbered]
        bases += [base for base, affix in picture_readings(files[picture].stem) if affix != FIRST_CHANNEL]
        if any(base.isdecimal() for base in bases) and in_mask_folder >= {*of_masks.values()}:
            pairs |= {of_pictures[number]: of_masks[number] for number in of_pictures}
    _take(matching, pairs, NUMBER_ALONE)


def _take(matching: NameMatching, pairs: dict[int, int], rule: str) -> None:
    """Add pairs to those that were found, unless a file is in two of them."""
    often = Counter(pairs.values())
    free = {picture: mask for picture, mask in sorted(pairs.items()) if often[mask] == 1 and mask not in pairs}
    for picture, mask in free.items():
        matching.found.take(picture, [mask])
        matching.found.by_number.setdefault(rule, (picture, mask))
    matching.found.count(rule, len(free))


def _whole_places(files: Sequence[NamedFile], numbers: Sequence[int]) -> dict[_Place, dict[int, int]]:
    """The files of each place by their last number, for places where all are one series and no number comes twice."""
    of_place: dict[_Place, list[int]] = defaultdict(list)
    for number in numbers:
        of_place[files[number].meaning.place].append(number)
    whole = {}
    for place, members in of_place.items():
        named = [(found, number) for number in members if (found := _key(files[number]))]
        by_number = {value: number for (_, value), number in named}
        if len(by_number) == len(members) and len({key for (key, _), _ in named}) == 1:
            whole[place] = by_number
    return whole


def shifted_numbers(pictures: Sequence[NamedFile], masks: Sequence[NamedFile]) -> str:
    """A sentence if as many masks as pictures of a place have the same numbers but for a shift; "" if not.

    pictures, masks: all files of each kind, none of which has a partner.
    """
    of_masks: dict[_Place, list[dict[int, NamedFile]]] = defaultdict(list)
    for key, drawn in _series(masks).items():
        of_masks[key.place].append(drawn)
    for key, shown in _series(pictures).items():
        for drawn in of_masks[key.place]:
            if sentence := _sentence(shown, drawn):
                return sentence
    return ""


def shifted_pairs(
    pairs: Iterable[tuple[NamedFile, NamedFile]], pictures: Sequence[NamedFile], masks: Sequence[NamedFile]
) -> Shift | None:
    """Whether pairs of one number may be wrong, because the numbers of their masks are shifted; None if not.

    Only series of which a picture and a mask pair are compared, and only if each has files without a partner: other
    files say nothing about them. pairs: each picture with its mask. pictures, masks: the files without a partner.
    """
    pairs = list(pairs)
    alone_pictures, alone_masks = _series(pictures, least=1), _series(masks, least=1)
    linked = {(_key_of(picture), _key_of(mask)): None for picture, mask in pairs}
    of_pictures = _series([*pictures, *(picture for picture, _ in pairs)])
    of_masks = _series([*masks, *(mask for _, mask in pairs)])
    for shown, drawn in linked:
        if shown not in alone_pictures or drawn not in alone_masks:
            continue
        if sentence := _sentence(of_pictures.get(shown, {}), of_masks.get(drawn, {})):
            first_picture, first_mask = (next(iter(s.values())) for s in (alone_pictures[shown], alone_masks[drawn]))
            return Shift(sentence, first_picture, first_mask)
    return None


def _key(file: NamedFile) -> tuple[SeriesKey, int] | None:
    """The series of a file and its number; None for a name without a number."""
    match = _LAST_NUMBER.fullmatch(file.stem)
    return (SeriesKey(file.meaning.place, match["before"], match["after"]), int(match["number"])) if match else None


def _key_of(file: NamedFile) -> SeriesKey | None:
    found = _key(file)
    return found[0] if found else None


def _series(files: Iterable[NamedFile], least: int = _LEAST_NUMBERED) -> _Series:
    """The files of each series by their number, for series of at least so many."""
    series: _Series = defaultdict(dict)
    for file in files:
        if found := _key(file):
            series[found[0]][found[1]] = file
    return {key: numbered for key, numbered in series.items() if len(numbered) >= least}


def _sentence(shown: dict[int, NamedFile], drawn: dict[int, NamedFile]) -> str:
    """How the numbers of two series differ; "" unless by a shift. shown, drawn: pictures and masks by their number."""
    shift = _shift(sorted(shown), sorted(drawn))
    if not shift:
        return ""
    first, last = min(shown), max(shown)
    return (
        f"There are {len(shown)} pictures from {shown[first].path} to {shown[last].path}, and as many "
        f"masks from {drawn[first + shift].path} to {drawn[last + shift].path}, whose numbers are "
        f"{abs(shift)} {'higher' if shift > 0 else 'lower'}."
    )


def _shift(shown: Sequence[int], drawn: Sequence[int]) -> int:
    """How much higher all numbers of the masks are than those of the pictures; 0 if they differ in another way."""
    if len(shown) != len(drawn):
        return 0
    shifts = {mask - picture for picture, mask in zip(shown, drawn, strict=True)}
    return shifts.pop() if len(shifts) == 1 else 0


def _without_zeros(stem: str) -> str:
    """A name without the zeros in front of its last number."""
    return _ZEROS.sub("", stem)
