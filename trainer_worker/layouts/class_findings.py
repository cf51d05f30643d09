"""Findings about class folders: what is left out, and what their owner may not expect."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from protocol.data_report import Finding, Severity, finding
from protocol.litter import (
    ARCHIVE_SUFFIXES,
    NO_PICTURES_BUT_LIKE_THEM,
    ONLY_IN_CLOUD_SUFFIX,
    SHORTCUT_SUFFIXES,
    suffix_of,
)
from protocol.text import printable
from trainer_worker.layouts.doubtful_names import alike_form
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.name_lists import some_folders, some_of
from trainer_worker.layouts.part_names import SET_ASIDE_WORDS
from trainer_worker.layouts.parts_as_classes import parts_in
from trainer_worker.layouts.picture_index import PictureIndex, folder_of, name_of
from trainer_worker.pictures.text_files import LABELS_FILE

#: Folders of these names inside of a class hold pictures that were sorted out, or are not sorted yet.
_OF_NO_CLASS = SET_ASIDE_WORDS | {"unsorted", "to sort", "backup", "rejected", "discarded", "deleted", "trash", "wrong"}
#: Endings that programs give to files while they are being transferred, and to those that are still in a cloud.
_UNFINISHED_SUFFIXES = frozenset(
    {".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ONLY_IN_CLOUD_SUFFIX}
)


def folder_findings(index: PictureIndex, classes: Sequence[tuple[str, str, Part]]) -> list[Finding]:
    """Two spellings of one name, and folders inside of classes.

    classes: (label, folder, part) of each class folder whose class has pictures to train on.
    """
    inside = {folder: index.folders(folder) for _, folder, _ in classes}
    joined = {folder: subs for folder, subs in inside.items() if len(subs) > 1 and not index.loose(folder)}
    other = {folder: subs for folder, subs in inside.items() if folder not in joined}
    return [
        *_spelled_twice(classes),
        *_joined_folders(classes, joined),
        *_strangers(classes, other),
        *_parts_that_train(index, classes),
    ]


def _spelled_twice(classes: Sequence[tuple[str, str, Part]]) -> list[Finding]:
    spellings: dict[str, dict[str, str]] = defaultdict(dict)
    for label, folder, _ in classes:
        if alike_form(name_of(folder)) == alike_form(label):  # and not cat/train/
            spellings[label].setdefault(name_of(folder), folder)
    twice = {label: list(found.values()) for label, found in spellings.items() if len(found) > 1}
    if not twice:
        return []
    sentence = f"Folders whose names are spelled in two ways are one class: {some_of(sorted(twice))}."
    return [
        finding("same_name_twice", Severity.INFO, sentence, "", [path for found in twice.values() for path in found])
    ]


def _strangers(classes: Sequence[tuple[str, str, Part]], inside: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Folders inside of a class that are called like another class, or like pictures of none."""
    known = {alike_form(label) for label, _, _ in classes} | _OF_NO_CLASS
    strangers = [
        sub
        for label, folder, _ in classes
        for sub in inside.get(folder, ())
        if alike_form(name_of(sub)) in known - {alike_form(label)}
    ]
    if not strangers:
        return []
    sentence = (
        f"The pictures in {some_folders(strangers)} are used as pictures of the class around them, although the names "
        "of these folders say something else."
    )
    cure = "If they don't show that class, move them into the folder of their class, or out of the project."
    return [finding("doubtful_subfolders", Severity.WARNING, sentence, cure, strangers)]


def _parts_that_train(index: PictureIndex, classes: Sequence[tuple[str, str, Part]]) -> list[Finding]:
    """Folders inside of a class that are called like a part that scores, and whose pictures train."""
    scoring = (Part.VAL, Part.TEST)
    named = [
        sub
        for _, folder, part in classes
        if part not in scoring
        for sub, part_by_name in parts_in(index, folder).items()
        if part_by_name in scoring
    ]
    if not named:
        return []
    sentence = (
        f"The pictures in {some_folders(named)} are used like all others of the class around them, although these "
        "folders are called like a part of a split."
    )
    cure = "If they are there to score the model, divide all pictures of all classes into train/ and test/."
    return [finding("doubtful_subfolders", Severity.WARNING, sentence, cure, named)]


def _joined_folders(classes: Sequence[tuple[str, str, Part]], inside: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Folders that a class consists of may be the classes that are really meant. inside: these, by class folder."""
    if not inside:
        return []
    times = Counter(
        name for _, name in {(label, name_of(sub)) for label, at, _ in classes for sub in inside.get(at, ())}
    )
    repeated = any(number > 1 for number in times.values())
    folder, subs = next(iter(inside.items()))
    names = list(dict.fromkeys(name_of(sub) for sub in subs))
    sentence = (
        f"The folders in {some_of([f'{path}/' for path in inside])} are not classes of their own: their pictures "
        f"belong to the class around them (such as {some_of(names[:3])} in "
        f"{printable(name_of(folder))})."
    )
    if repeated:
        cure = "If they are the classes that you mean, put all pictures of each of them into one folder."
        return [finding("subfolders_joined", Severity.WARNING, sentence, cure, list(inside))]
    cure = "If they are the classes that you mean, move them one folder up."
    return [finding("nested_classes", Severity.WARNING, sentence, cure, list(inside))]


def left_out_findings(index: PictureIndex, used: Sequence[str], around: Sequence[str]) -> list[Finding]:
    """Pictures in no class. used: paths of the pictures in classes. around: folders in which class folders lie."""
    reached = {*used, *(index.tree.linked[path] for path in used if path in index.tree.linked)}
    unused = [path for path in index.paths if path not in reached]
    loose = [path for path in unused if folder_of(path) in around]
    elsewhere = sorted({*unused}.difference(loose))
    folders = sorted({folder_of(path) for path in elsewhere})
    findings = []
    if loose:
        sentence = f"Pictures that lie beside the class folders belong to no class, and are not used: {len(loose)}."
        cure = "Move them into the folder of their class."
        findings.append(finding("loose_pictures", Severity.WARNING, sentence, cure, loose))
    if elsewhere:
        sentence = f"Pictures in {some_of([f'{folder}/' for folder in folders])} are not used: {len(elsewhere)}."
        cure = "If they are pictures of a class, and neither masks nor copies, move them into its folder."
        findings.append(finding("unused_pictures", Severity.WARNING, sentence, cure, elsewhere))
    return findings


def other_file_findings(index: PictureIndex, used: Sequence[str], label_files: Sequence[str]) -> list[Finding]:
    """Files that are not pictures. label_files: those among them that the labels come from."""
    pictures = {*index.paths, *label_files}
    others = [path for path in index.tree.files if path not in pictures]
    others = [path for path in others if name_of(path).casefold() != LABELS_FILE]
    like_pictures = taken_for_pictures(others, used)
    archives = [path for path in others if suffix_of(path) in ARCHIVE_SUFFIXES]
    shortcuts = [path for path in others if suffix_of(path) in SHORTCUT_SUFFIXES]
    rest = sorted({*others}.difference(like_pictures, archives, shortcuts, _unfinished(others)))
    findings = []
    if archives:
        sentence = f"Archives that lie beside the pictures are not unpacked: {len(archives)}."
        cure = "If they hold pictures of the set, unpack them, or post a folder that holds only archives."
        findings.append(finding("unused_archives", Severity.WARNING, sentence, cure, archives))
    findings += unfinished_findings(others)
    if shortcuts:
        sentence = f"Shortcuts are not followed, because they hold no picture themselves: {len(shortcuts)}."
        cure = "If they lead to pictures, put these into the folders of their classes."
        findings.append(finding("shortcuts", Severity.WARNING, sentence, cure, shortcuts))
    if like_pictures:
        sentence = f"Drawings, documents, films and arrays among the pictures are not used: {len(like_pictures)}."
        cure = "Export them as PNG or JPEG if they are meant as pictures."
        findings.append(finding("no_pictures", Severity.WARNING, sentence, cure, like_pictures))
    if rest:
        sentence = f"Files of other kinds are not used: {len(rest)}."
        findings.append(finding("other_files", Severity.INFO, sentence, "", rest))
    return findings


def unfinished_findings(paths: Iterable[str]) -> list[Finding]:
    """Files that are not there as a whole, or are only in a cloud."""
    unfinished = _unfinished(paths)
    if not unfinished:
        return []
    sentence = f"Files whose download or upload was never finished, or that are only in a cloud: {len(unfinished)}."
    return [finding("unfinished_files", Severity.WARNING, sentence, "Transfer them again.", unfinished)]


def _unfinished(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if suffix_of(path) in _UNFINISHED_SUFFIXES]


def taken_for_pictures(others: Iterable[str], used: Sequence[str]) -> list[str]:
    """Of some files those that are drawings, documents or films, and lie in a folder in which pictures are used."""
    folders = {folder_of(path) for path in used}
    return [path for path in others if suffix_of(path) in NO_PICTURES_BUT_LIKE_THEM and folder_of(path) in folders]
