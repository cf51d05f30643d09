"""Recognises pictures and masks that pair by their names, in whatever folders they lie."""

from __future__ import annotations

import dataclasses
import functools
import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from protocol.litter import may_be_picture
from trainer_worker.layouts.layout import Mask, MaskedFile, MaskFile, ObjectMasks, UnusedFile
from trainer_worker.layouts.mask_words import (
    FIRST_CHANNEL,
    FolderMeaning,
    folder_meaning,
    has_mask_affix,
    mask_readings,
)
from trainer_worker.layouts.name_matching import Matches, NameMatching
from trainer_worker.layouts.named_file import NamedFile, named_file, parts_fit, places_fit
from trainer_worker.layouts.numbered_names import pair_by_number_alone, pair_other_zeros, shifted_pairs
from trainer_worker.layouts.pair_findings import (
    BESIDE,
    NAMED_RULES,
    NO_MASK,
    NO_PICTURE,
    OTHER_CHANNEL,
    OTHER_KIND,
    pair_findings,
    second_mask,
)
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.layouts.tree import Tree

#: A mask may be saved as an array as well.
ARRAY_SUFFIX = ".npy"
_LOSSY = frozenset({".jpg", ".jpeg"})
_LOSSLESS = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff", ARRAY_SUFFIX})
#: A folder of another name holds masks if this share of its files pairs with the pictures beside it.
_SHARE_OF_ASSUMED_FOLDER = 0.8
_PREDICTED = frozenset({"pred", "preds", "predicted", "prediction", "predictions", "output", "outputs", "results"})

ROWS = (
    LayoutRow(
        "mask_files",
        "segmentation",
        "pictures and masks in folders such as `images/` and `masks/`, or side by side, whose names pair: `a.jpg` with "
        "`a.png`, `a_mask.png`, `mask_a.png`, `a.jpg.png` and the like. The rule with the most pairs comes first",
        "one mask for each picture. Folders named train, val and test are the split",
    ),
    LayoutRow(
        "object_masks",
        "segmentation",
        "several masks for one picture, one for each object: `<id>/images/` beside `<id>/masks/`, `masks/<picture>/` "
        "or numbered names such as `a_mask_1.png`",
        "the masks of a picture are laid together into one",
    ),
)


@dataclass(frozen=True)
class Pairs:
    """Pictures and masks that pair by their names. rule: a sentence. unused: what has no partner."""

    name: str
    rule: str
    pictures: tuple[MaskedFile, ...]
    findings: tuple[Finding, ...]
    unused: tuple[UnusedFile, ...]


@dataclass(frozen=True)
class Candidates:
    """All files that may be pictures or masks. in_mask_folder: the numbers of those in a folder of masks."""

    files: list[NamedFile]
    in_mask_folder: frozenset[int]

    @functools.cached_property
    def pictures(self) -> list[int]:
        return [
            number
            for number, file in enumerate(self.files)
            if number not in self.in_mask_folder and file.suffix != ARRAY_SUFFIX
        ]

    @property
    def folders_of_pictures(self) -> dict[str, int]:
        """The folders that don't mean masks, with their number of files."""
        return dict(Counter(posixpath.dirname(self.files[number].path) for number in self.pictures))


def candidates(tree: Tree, folders_tell: bool = True) -> Candidates:
    """The files of a project that may be pictures or masks, by their names.

    folders_tell: whether a folder called masks holds masks. Where all files lie in such folders, as in
    cell_segmentation/, only their own names can tell pictures from masks.
    """
    meanings: dict[str, FolderMeaning] = {}
    left_out = frozenset(_known_twice(tree))
    files = []
    for path in tree.files:
        folder, _, name = path.rpartition("/")
        if path in left_out or not (may_be_picture(name) or name.lower().endswith(ARRAY_SUFFIX)):
            continue
        if folder not in meanings:
            meaning = folder_meaning(folder)
            place = tuple(folder.split("/"))
            meanings[folder] = meaning if folders_tell else FolderMeaning("", place, meaning.part)
        files.append(named_file(path, meanings[folder]))
    return Candidates(files, frozenset(n for n, file in enumerate(files) if file.meaning.role == "mask"))


def _known_twice(tree: Tree) -> Iterator[str]:
    """One path of each file that is also reached by a link: the one whose folder means neither pictures nor masks.

    If both or neither of the folders mean something, it is the link.
    """
    for link, real in tree.linked.items():
        if real in tree.files:
            tells = [folder_meaning(posixpath.dirname(path)).role for path in (link, real)]
            yield real if tells[0] and not tells[1] else link


def pair_masks(found: Candidates) -> Pairs | None:
    """The pairs by names; None if there are none. Raises TrainingError layout_unclear."""
    matches = _matches(found, found.in_mask_folder)
    if not matches.masks and not found.in_mask_folder:
        assumed = _assumed_folder(found)
        if assumed:
            members = frozenset(n for n, file in enumerate(found.files) if _is_below(file.path, assumed))
            emptied = posixpath.dirname(assumed)
            found = Candidates([_moved(f, assumed, emptied) for f in found.files], members)
            matches = _matches(found, members)
            if matches.masks:
                pairs = _as_pairs(found, matches)
                return dataclasses.replace(pairs, findings=(*pairs.findings, _assumed_finding(assumed)))
    return _as_pairs(found, matches) if matches.masks else None


def _assumed_finding(folder: str) -> Finding:
    predicted = not _PREDICTED.isdisjoint(posixpath.basename(folder).casefold().replace("-", "_").split("_"))
    sentence = f"No folder is called masks, so {folder}/ is taken for it, because its names pair with the pictures."
    if predicted:
        sentence += " Its name sounds like masks that a model has made."
    cure = "If its masks are right, rename it to masks. Otherwise move it out of the project, and add the right ones."
    return finding("assumed_masks", Severity.WARNING if predicted else Severity.INFO, sentence, cure)


def _matches(found: Candidates, in_mask_folder: frozenset[int]) -> Matches:
    files = found.files
    beside = frozenset(number for number in found.pictures if has_mask_affix(files[number].stem))
    arrays = frozenset(n for n, f in enumerate(files) if f.suffix == ARRAY_SUFFIX and n not in in_mask_folder)
    matching = NameMatching(files, found.pictures, sorted(in_mask_folder | beside | arrays))
    matching.by_rules(needs_affix=beside)
    matching.by_name_alone(in_mask_folder)
    matching.by_shorter_name(in_mask_folder)
    pair_other_zeros(matching, in_mask_folder)
    matching.by_learned_affix(in_mask_folder)
    matching.by_folder(in_mask_folder)
    pair_by_number_alone(matching, in_mask_folder)
    if not matching.found.masks and not in_mask_folder:
        matching.by_suffix(_LOSSLESS, _LOSSY)
        if 2 * len(matching.found.masks) < _SHARE_OF_ASSUMED_FOLDER * len(files):
            return Matches()
    return matching.found


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _moved(file: NamedFile, assumed: str, parent: str) -> NamedFile:
    """The same file, with the meaning that it has if the folder `assumed` holds masks."""
    if not _is_below(file.path, assumed):
        return file
    rest = posixpath.dirname(file.path)[len(assumed) :].strip("/")
    meaning = folder_meaning(posixpath.join(parent, "masks", rest).rstrip("/"))
    return named_file(file.path, meaning)


def _assumed_folder(found: Candidates) -> str:
    """A folder beside one of pictures that must hold their masks, because its names pair and no other's do.

    "" if there is none. Raises TrainingError layout_unclear if several might be it.
    """
    stems: dict[str, set[str]] = defaultdict(set)
    lossless: Counter[str] = Counter()
    for file in found.files:
        folder = posixpath.dirname(file.path)
        stems[folder].add(file.stem)
        lossless[folder] += file.suffix in _LOSSLESS
    pictures = [folder for folder in stems if folder_meaning(posixpath.basename(folder)).role == "picture"]
    fitting = []
    for shown in pictures:
        beside = [f for f in stems if f and posixpath.dirname(f) == posixpath.dirname(shown) and f not in pictures]
        for folder in beside:
            shared = len(stems[folder] & stems[shown])
            least = min(len(stems[folder]), len(stems[shown]))
            fits = shared >= _SHARE_OF_ASSUMED_FOLDER * least and lossless[folder] == len(stems[folder])
            if fits and folder not in fitting:
                fitting.append(folder)
    if len(fitting) > 1:
        raise TrainingError(
            "layout_unclear",
            f"It is unclear which folder holds the masks: {', '.join(fitting[:5])} have names that pair with the "
            "pictures. Rename the right one to masks, and move the others out of the project.",
        )
    return fitting[0] if fitting else ""


def _as_pairs(found: Candidates, matches: Matches) -> Pairs:
    files = found.files
    _require_one_mask(found, matches)
    pictures = []
    for number, masks in matches.masks.items():
        mask: Mask = MaskFile(files[masks[0]].path)
        if len(masks) > 1:
            mask = ObjectMasks(tuple((path, "") for path in sorted(files[mask].path for mask in masks)))
        part = files[number].meaning.part or files[masks[0]].meaning.part
        pictures.append(MaskedFile(files[number].path, mask, part))
    pictures.sort(key=lambda picture: picture.path)
    unused = _unused(found, matches)
    several = any(isinstance(picture.mask, ObjectMasks) for picture in pictures)
    if not several:
        _refuse_shifted(files, matches, unused)
    name = "object_masks" if several else "mask_files"
    return Pairs(name, _rule(pictures, matches), tuple(pictures), tuple(pair_findings(files, matches, unused)), unused)


def _require_one_mask(found: Candidates, matches: Matches) -> None:
    """Raise TrainingError if most pictures have a second mask that is as good as the one taken."""
    if 2 * len(matches.second) < len(matches.masks):
        return
    mask, picture = min(matches.second.items())
    one = found.files[matches.masks[picture][0]].path
    raise TrainingError(
        "layout_unclear",
        f"{len(matches.second)} pictures have two masks: {found.files[picture].path} has {one} and "
        f"{found.files[mask].path}. Keep the masks to learn from, and move the others out of the project. If each "
        "shows one class, save them as one, with a number for each class, and list the classes in classes.txt.",
    )


def _refuse_shifted(files: Sequence[NamedFile], matches: Matches, unused: Sequence[UnusedFile]) -> None:
    """Raise TrainingError if the numbers of masks are shifted, so that pairs of one number may be wrong."""
    reasons = {file.path: file.reason for file in unused}
    pairs = [(files[picture], files[masks[0]]) for picture, masks in matches.masks.items()]
    pictures, masks = ([f for f in files if reasons.get(f.path) == reason] for reason in (NO_MASK, NO_PICTURE))
    if shift := shifted_pairs(pairs, pictures, masks):
        raise TrainingError(
            "layout_unclear",
            f"{shift.sentence} So it is unclear whether the mask of a picture is the one with the same number, or the "
            "one at the same place in the sorted list. If it is the one with the same number, move the files without a "
            f"partner out of the project, such as {shift.picture.path} and {shift.mask.path}. Otherwise give each mask "
            "the number of its picture.",
        )


def _unused(found: Candidates, matches: Matches) -> tuple[UnusedFile, ...]:
    """Pictures without masks in folders that hold pictures with one, and masks without a picture."""
    files = found.files
    of_pictures = {posixpath.dirname(files[number].path) for number in matches.masks}
    paired = {files[number].stem: number for number in matches.masks}
    named = {(files[n].meaning.place, files[n].stem) for n in (*matches.masks, *matches.taken)}
    with_channels = _first_channels(files, matches)
    may_be_second = found.in_mask_folder - matches.outranked
    unused = []
    for number, file in enumerate(files):
        if number in matches.masks or number in matches.taken:
            continue
        picture = matches.second.get(number)
        if picture is None and number in may_be_second and file.meaning.rank == 1:
            picture = _picture_of(file, files, paired)
        if picture is not None:
            taken = files[matches.masks[picture][0]].path
            reason = second_mask(files[picture].path, taken)
        elif number in matches.outranked or _is_other_view(file, named):
            reason = OTHER_KIND
        elif number in found.in_mask_folder or file.suffix == ARRAY_SUFFIX:
            lower = file.meaning.rank > 1
            reason = OTHER_KIND if lower else NO_PICTURE
        elif _first_channel(file) in with_channels:
            reason = OTHER_CHANNEL
        elif posixpath.dirname(file.path) in of_pictures or file.meaning.role == "picture":
            reason = NO_MASK
        else:
            reason = BESIDE
        unused.append(UnusedFile(file.path, reason))
    return tuple(unused)


def _is_other_view(file: NamedFile, named: Set[tuple[tuple[str, ...], str]]) -> bool:
    """Whether it shows a file that pairs in another way, such as `label_viz` beside the mask `label`."""
    readings = (reading for reading in mask_readings(file.stem) if reading.affix and reading.rank > 1)
    return any((file.meaning.place, reading.base) in named for reading in readings)


def _first_channels(files: Sequence[NamedFile], matches: Matches) -> set[str]:
    """The names of pictures such as `case_0000` of nnU-Net, whose mask is called `case`.

    A frame `film_0000` with the mask `film_0000` is none: the next frames are pictures of their own.
    """
    names = set()
    for picture, masks in matches.masks.items():
        stem = files[picture].stem
        readings = mask_readings(files[masks[0]].stem) if stem.endswith(FIRST_CHANNEL) else []
        if any(reading.base + FIRST_CHANNEL == stem and not reading.numbered for reading in readings):
            names.add(stem)
    return names


def _first_channel(file: NamedFile) -> str:
    """`case_0000` for `case_0001`; "" for a name that doesn't end in a channel."""
    base, channel = file.stem[: -len(FIRST_CHANNEL)], file.stem[-len(FIRST_CHANNEL) :]
    return base + FIRST_CHANNEL if channel[:1] == "_" and channel[1:].isdecimal() else ""


def _picture_of(mask: NamedFile, files: Sequence[NamedFile], paired: Mapping[str, int]) -> int | None:
    """The picture of a mask's name that has another mask, wherever both lie. paired: pictures by their stem."""
    bases = (reading.base for reading in mask_readings(mask.stem) if not reading.numbered)
    numbers = (paired[base] for base in bases if base in paired)
    return next((n for n in numbers if parts_fit(files[n], mask) and places_fit(files[n], mask)), None)


def _rule(pictures: Sequence[MaskedFile], matches: Matches) -> str:
    shown = _folders(picture.path for picture in pictures)
    drawn = _folders(
        picture.mask.path if isinstance(picture.mask, MaskFile) else picture.mask.files[0][0]
        for picture in pictures
        if isinstance(picture.mask, MaskFile | ObjectMasks)
    )
    names = "; ".join(f"{rule} ({count})" for rule, count in matches.used[:NAMED_RULES])
    more = len(matches.used) - NAMED_RULES
    names += f"; and {more} more rules" if more > 0 else ""
    return f"Found {len(pictures)} pictures in {shown} with masks in {drawn}, paired by {names}."


def _folders(paths: Iterable[str]) -> str:
    folders = Counter(posixpath.dirname(path) for path in paths)
    named = [f"{folder}/" if folder else "the project folder" for folder, _ in folders.most_common(2)]
    return ", ".join(named) + (f" and {len(folders) - 2} more" if len(folders) > 2 else "")
