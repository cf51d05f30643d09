"""Matches pictures with masks by their names, all at once: the naming rule with the most pairs comes first."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocol.errors import TrainingError
from trainer_worker.layouts.mask_words import (
    FIRST_CHANNEL,
    Reading,
    mask_readings,
    picture_readings,
)
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.named_file import NamedFile, may_share, parts_fit, same_spelling

#: An affix that is in no list of words is used if at least this many masks have it.
_LEAST_OF_LEARNED_RULE = 2
#: Names in folders that are not parallel pair without words such as RGB if this share of the masks left does.
_SHARE_OF_SHORTER = 0.8


class Rule(NamedTuple):
    """How the names of a picture and its mask differ.

    of_mask, of_picture: what each name has besides the part that both share.
    with_suffix: the mask's name holds the picture's extension. beside: masks lie among the pictures.
    """

    of_mask: str
    of_picture: str = ""
    with_suffix: bool = False
    beside: bool = False

    def __str__(self) -> str:
        """As a person would write it: <name>_mask."""
        mask = self.of_mask
        if mask.startswith("/"):
            return f"{mask[1:]} beside {self.of_picture[1:]}"
        if "<name>" in mask:
            named = mask
        elif mask and mask[-1:] in "_-. " and mask[:1] not in "_-. ":
            named = f"{mask}<name>"
        else:
            named = f"<name>{'.jpg' if self.with_suffix else ''}{mask}"
        if not self.of_picture:
            return named
        picture = self.of_picture
        if "<name>" not in picture:
            picture = f"{picture}<name>" if picture[-1:] in "_-. " else f"<name>{picture}"
        return f"{named} for {picture}"


class _Candidate(NamedTuple):
    """A mask that may belong to a picture.

    numbered: whether the mask's name ends in a number, so that the picture may have several. rank: of its folder and of
    its name; lower is better. group: the place and the base name, which several pictures and masks may share.
    """

    picture: int
    mask: int
    numbered: bool
    rank: tuple[int, int]
    group: tuple[tuple[str, ...], str]


@dataclass
class Matches:
    """The pairs that were found. Pictures and masks are numbers in the list of files.

    masks: the masks of each paired picture; several if each marks one object. taken: all of these masks.
    used: the rules in the order in which they were applied, each with its number of pairs.
    second: for each mask whose picture has another mask, that picture.
    outranked: masks that show the same as a better one, such as one colour for each object.
    by_number: a pair of each rule by which only numbers fit, see numbered_names.py.
    """

    masks: dict[int, list[int]] = field(default_factory=dict)
    used: list[tuple[str, int]] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)
    second: dict[int, int] = field(default_factory=dict)
    outranked: set[int] = field(default_factory=set)
    by_number: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take(self, picture: int, masks: Iterable[int]) -> None:
        self.masks.setdefault(picture, []).extend(masks)
        self.taken.update(masks)

    def count(self, rule: str, pairs: int) -> None:
        if pairs:
            self.used.append((rule, pairs))


class NameMatching:
    """Pairs pictures and masks. Each method pairs what the earlier ones have left, and adds it to `found`.

    files: all that may be pictures or masks. pictures, masks: the numbers of those that may be one or the other.
    """

    def __init__(self, files: Sequence[NamedFile], pictures: Sequence[int], masks: Sequence[int]) -> None:
        self.files = files
        self._pictures, self._masks = pictures, masks
        self.found = Matches()

    def by_rules(self, needs_affix: frozenset[int] = frozenset()) -> None:
        """Pair within one place by the known words. needs_affix: these are masks only if their name has such a word."""
        index: dict[tuple[tuple[str, ...], str], list[tuple[int, str]]] = defaultdict(list)
        for number in self._pictures:
            file = self.files[number]
            for base, affix in picture_readings(file.stem):
                index[file.meaning.place, base].append((number, affix))
        by_rule: dict[Rule, list[_Candidate]] = defaultdict(list)
        best: dict[int, tuple[int, int]] = {}
        for number in self._masks:
            for rule, candidate in self._candidates(number, index, number in needs_affix):
                by_rule[rule].append(candidate)
                best[candidate.picture] = min(best.get(candidate.picture, candidate.rank), candidate.rank)
        # One kind of masks serves a place: `mask/` beside `1st_manual/` shows something else, so it fills no gaps.
        kinds: dict[tuple[str, ...], int] = {}
        for picture, (kind, _) in best.items():
            place = self.files[picture].place_in_any_part
            kinds[place] = min(kinds.get(place, kind), kind)
        for rule, candidates in by_rule.items():
            of_best = [c for c in candidates if c.rank == best[c.picture]]
            by_rule[rule] = [c for c in of_best if c.rank[0] == kinds[self.files[c.picture].place_in_any_part]]
            self.found.outranked.update({c.mask for c in candidates} - {c.mask for c in by_rule[rule]})
        self._apply(by_rule)

    def _candidates(
        self, number: int, index: dict[tuple[tuple[str, ...], str], list[tuple[int, str]]], needs_affix: bool
    ) -> list[tuple[Rule, _Candidate]]:
        """The pictures to which a mask may belong.

        A reading with a number counts only if no other fits: the mask `scan_1` belongs to `scan_1`, not to `scan`.
        """
        file = self.files[number]
        found: list[tuple[Rule, _Candidate]] = []
        for reading in mask_readings(file.stem):
            if (needs_affix and not reading.affix) or (reading.numbered and found):
                continue
            group = (file.meaning.place, reading.base + reading.suffix)
            for picture, affix in index.get((file.meaning.place, reading.base), ()):
                if picture == number or (reading.suffix and self.files[picture].suffix != reading.suffix):
                    continue
                if reading.numbered and affix == FIRST_CHANNEL:
                    continue  # frame_0004 belongs to its own frame, and not to frame_0000
                # LabelMe saves a mask as a picture and as an array; the picture is the simpler one.
                rank = (file.meaning.rank, reading.rank + (file.suffix == ".npy"))
                rule = Rule(reading.affix, affix, bool(reading.suffix), needs_affix)
                found.append((rule, _Candidate(picture, number, reading.numbered, rank, group)))
        return found

    def _apply(self, by_rule: dict[Rule, list[_Candidate]]) -> None:
        """Take the rule with the most pairs, then the next for the rest. Counts only fall, so a heap finds them."""
        heap = [(-self._size(found), order, rule) for order, (rule, found) in enumerate(by_rule.items())]
        heapq.heapify(heap)
        while heap:
            size, order, rule = heapq.heappop(heap)
            now = self._size(by_rule[rule])
            if now != -size:
                if now:
                    heapq.heappush(heap, (-now, order, rule))
                continue
            self._take_rule(rule, by_rule[rule])
        for candidates in by_rule.values():
            for candidate in candidates:
                if candidate.mask not in self.found.taken and candidate.picture in self.found.masks:
                    self.found.second.setdefault(candidate.mask, candidate.picture)

    def _is_free(self, candidate: _Candidate) -> bool:
        found = self.found
        return (
            candidate.picture not in found.masks
            and candidate.picture not in found.taken
            and candidate.mask not in found.taken
            and candidate.mask not in found.masks
        )

    def _size(self, candidates: list[_Candidate]) -> int:
        return len({candidate.picture for candidate in candidates if self._is_free(candidate)})

    def _take_rule(self, rule: Rule, candidates: list[_Candidate]) -> None:
        groups: dict[tuple[tuple[str, ...], str], list[_Candidate]] = defaultdict(list)
        for candidate in candidates:
            if self._is_free(candidate):
                groups[candidate.group].append(candidate)
        pairs = objects = 0
        for group in groups.values():
            free = [candidate for candidate in group if self._is_free(candidate)]
            for picture, masks in self._resolved(free):
                self.found.take(picture, masks)
                pairs += 1
                objects += len(masks) > 1
        several = f", several numbered ones of {objects} pictures" if objects else ""
        self.found.count(f"{rule}{several}", pairs)

    def _resolved(self, candidates: list[_Candidate]) -> list[tuple[int, list[int]]]:
        """The pairs among pictures and masks of one place and base name. Raises TrainingError if they are unclear."""
        pictures = sorted({candidate.picture for candidate in candidates})
        masks = sorted({candidate.mask for candidate in candidates if not candidate.numbered})
        numbered = sorted({candidate.mask for candidate in candidates if candidate.numbered})
        if len(pictures) == 1 and len(masks) <= 1:
            return [(pictures[0], masks + numbered)]
        if not candidates:
            return []
        for same in (same_spelling, _same_suffix):
            chosen = [[mask for mask in masks if same(self.files[p], self.files[mask])] for p in pictures]
            used = [found[0] for found in chosen if len(found) == 1]
            if not numbered and len(used) == len(pictures) == len(masks) == len(set(used)):
                return [(picture, found) for picture, found in zip(pictures, chosen, strict=True)]
        raise unclear_names([self.files[n].path for n in pictures], [self.files[n].path for n in masks + numbered])

    def left(self) -> tuple[list[int], list[int]]:
        """The pictures and the masks without a partner, as numbers of files."""
        found = self.found
        pictures = [n for n in self._pictures if n not in found.masks and n not in found.taken]
        masks = [n for n in self._masks if n not in found.taken and n not in found.masks and n not in found.second]
        masks = [n for n in masks if n not in found.outranked]
        return pictures, masks

    def by_name_alone(self, is_mask_folder: frozenset[int]) -> None:
        """Pair files of one name wherever they lie, but within one part of the split."""
        pictures, masks = self.left()
        index: dict[str, list[int]] = defaultdict(list)
        for number in self._without_predictions(pictures):
            index[self.files[number].stem].append(number)
        groups: dict[str, list[tuple[int, int, Reading]]] = defaultdict(list)
        for number in masks:
            if number not in is_mask_folder:
                continue
            for reading in mask_readings(self.files[number].stem):
                fits = [p for p in index.get(reading.base, ()) if parts_fit(self.files[p], self.files[number])]
                if fits and not reading.numbered:
                    groups[reading.base] += [(picture, number, reading) for picture in fits]
                    break
        pairs = 0
        for group in groups.values():
            best = min(self.files[mask].meaning.rank for _, mask, _ in group)
            group = [entry for entry in group if self.files[entry[1]].meaning.rank == best]
            if len({picture for picture, _, _ in group}) > 1 or len({mask for _, mask, _ in group}) > 1:
                raise unclear_names(
                    sorted({self.files[picture].path for picture, _, _ in group}),
                    sorted({self.files[mask].path for _, mask, _ in group}),
                )
            self.found.take(group[0][0], [group[0][1]])
            pairs += 1
        self.found.count("<name>, wherever it lies", pairs)

    def _without_predictions(self, pictures: Sequence[int]) -> list[int]:
        """All but those in a folder of any name beside a picture of their name that has a mask."""
        with_mask = [self.files[number] for number in self.found.masks]
        paired = {(file.stem, file.meaning.part, file.meaning.place) for file in with_mask}
        files = [(number, self.files[number]) for number in pictures]
        return [
            number
            for number, file in files
            if file.meaning.role == "picture" or (file.stem, file.meaning.part, file.meaning.place[:-1]) not in paired
        ]

    def by_shorter_name(self, is_mask_folder: frozenset[int]) -> None:
        """Pair names that are alike but for the words for pictures and masks, wherever they lie: a_RGB and a_label.

        Each must fit one other only, and most of the masks that are left must pair.
        """
        pictures, masks = self.left()
        masks = [number for number in masks if number in is_mask_folder]
        shown: dict[str, list[int]] = defaultdict(list)
        drawn: dict[str, list[int]] = defaultdict(list)
        for number in self._without_predictions(pictures):
            readings = picture_readings(self.files[number].stem)
            for base in {base for base, affix in readings if affix != FIRST_CHANNEL} - {""}:
                shown[base].append(number)
        for number in masks:
            bases = {reading.base for reading in mask_readings(self.files[number].stem) if not reading.numbered}
            for base in bases & shown.keys():
                drawn[base].append(number)
        pairs = {
            shown[base][0]: found[0]
            for base, found in drawn.items()
            if len(found) == len(shown[base]) == 1 and may_share(base, self.files[shown[base][0]], self.files[found[0]])
        }
        if len(set(pairs.values())) == len(pairs) >= max(_LEAST_OF_LEARNED_RULE, _SHARE_OF_SHORTER * len(masks)):
            for picture, mask in pairs.items():
                self.found.take(picture, [mask])
            self.found.count("<name> without the words for pictures and masks, wherever it lies", len(pairs))

    def by_learned_affix(self, is_mask_folder: frozenset[int]) -> None:
        """Pair by an affix that is in no list of words, if many masks have it."""
        pictures, masks = self.left()
        masks = [number for number in masks if number in is_mask_folder]
        index = {(self.files[n].meaning.place, self.files[n].stem): n for n in pictures}
        by_rule: dict[Rule, list[_Candidate]] = defaultdict(list)
        for number in masks:
            place, stem = self.files[number].meaning.place, self.files[number].stem
            for base, affix in _cuts(stem):
                if (picture := index.get((place, base))) is not None:
                    rank = (self.files[number].meaning.rank, 1)
                    by_rule[Rule(affix)].append(_Candidate(picture, number, False, rank, (place, base)))
                    break
        enough = max(_LEAST_OF_LEARNED_RULE, len(masks) // 2)
        self._apply({rule: found for rule, found in by_rule.items() if len(found) >= enough})

    def by_folder(self, is_mask_folder: frozenset[int]) -> None:
        """Pair a picture with all masks in a folder.

        This is the folder of masks of the picture's name, or the one beside it if it is the only picture of its place,
        as in <id>/images/ and <id>/masks/.
        """
        pictures, masks = self.left()
        of_place: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number in masks:
            if number in is_mask_folder:
                of_place[self.files[number].meaning.place].append(number)
        in_place = Counter(self.files[number].meaning.place for number in pictures)
        paired = {self.files[number].meaning.place for number in self.found.masks}
        chosen: list[tuple[int, list[int]]] = []
        for number in pictures:
            place, stem = self.files[number].meaning.place, self.files[number].stem
            if named := of_place.get((*place, stem)):
                chosen.append((number, named))
            elif place and in_place[place] == 1 and place not in paired and place in of_place:
                chosen.append((number, of_place[place]))
        if len(chosen) < _LEAST_OF_LEARNED_RULE:
            return
        for number, found in chosen:
            self.found.take(number, found)
        self.found.count("all masks in a folder of the picture's own", len(chosen))

    def by_suffix(self, lossless: frozenset[str], lossy: frozenset[str]) -> None:
        """Pair a.jpg with a.png in the same folder."""
        pictures, _ = self.left()
        of_name: dict[tuple[tuple[str, ...], str], list[int]] = defaultdict(list)
        for number in pictures:
            of_name[self.files[number].meaning.place, self.files[number].stem].append(number)
        pairs = 0
        for same_name in of_name.values():
            shown = [n for n in same_name if self.files[n].suffix in lossy]
            drawn = [n for n in same_name if self.files[n].suffix in lossless]
            if len(shown) == len(drawn) == 1 and len(same_name) == 2:
                self.found.take(shown[0], drawn)
                pairs += 1
        self.found.count("<name>, the picture as JPEG and the mask beside it in a format without loss", pairs)


def unclear_names(pictures: Sequence[str], masks: Sequence[str]) -> TrainingError:
    """The error for files that pair in more than one way."""
    return TrainingError(
        "layout_unclear",
        f"It is unclear which mask belongs to which picture: {some_of(pictures, most=4)} and {some_of(masks, most=4)} "
        "have the same name. Keep one mask for each picture, named like the picture or <picture>_mask, and move the "
        "other files out of the project. If each of these masks shows one class, save them as one, with a number for "
        "each class, and list the classes in classes.txt.",
    )


def _same_suffix(picture: NamedFile, mask: NamedFile) -> bool:
    return picture.suffix == mask.suffix


def _cuts(stem: str) -> list[tuple[str, str]]:
    """Each way to cut a name into (base, affix), the longest base first. No number is cut: 10 is not 1 and 0."""
    at = [n for n in range(len(stem) - 1, 0, -1) if not (stem[n - 1].isdecimal() and stem[n].isdecimal())]
    ends = [(stem[:n], stem[n:]) for n in at if not stem[n:].strip("_-. ").isdecimal()]
    starts = [(stem[n:], stem[:n]) for n in reversed(at)]
    return ends + starts
