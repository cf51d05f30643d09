"""Recognises which class each picture of a folder belongs to: by class folders, by the caller's split, or by a list.

    images/daisy/*.jpg      images/ may be missing, and further folders may lie around it
    train/daisy/*.jpg       beside valid/ or test/: the caller's own split
    train.csv               beside pictures that lie in no class folders, see class_lists.py

Each function looks at names and small files only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from protocol.data_report import Finding
from protocol.litter import (
    DOCUMENT_SUFFIXES,
    NO_PICTURES_BUT_LIKE_THEM,
    ONLY_IN_CLOUD_SUFFIX,
    SHORTCUT_SUFFIXES,
    suffix_of,
)
from protocol.text import as_utf8, printable
from trainer_worker.layouts.annotation_files import AnnotationFiles, PictureNames
from trainer_worker.layouts.class_findings import folder_findings
from trainer_worker.layouts.class_lists import findings_about_lists, rows_of_lists
from trainer_worker.layouts.completed_classes import completed
from trainer_worker.layouts.corrections import set_aside_corrections
from trainer_worker.layouts.doubtful_names import alike_form
from trainer_worker.layouts.files_not_read import labels_not_read
from trainer_worker.layouts.layout import ClassLayout, LabelledFile, Part
from trainer_worker.layouts.masks_as_classes import findings_about_masks
from trainer_worker.layouts.name_lists import some_folders, some_of
from trainer_worker.layouts.other_exports import MASK_NAMES, refuse_folders_of_other_exports, refuse_other_labels
from trainer_worker.layouts.part_names import is_set_aside, part_of, parts_of
from trainer_worker.layouts.parts_as_classes import divided_classes, layout_unclear, refuse_parts_as_classes
from trainer_worker.layouts.picture_index import PictureIndex, folder_of, name_of
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.layouts.split_lists import lists_of_parts, split_lists, unused_parts
from trainer_worker.layouts.tree import Tree, comparable
from trainer_worker.layouts.unlabelled_pictures import labels_in_names, no_class_folders

IMAGES = "images"
#: Fewer documents in a folder are no scans.
_LEAST_SCANS = 3
#: Lists of the parts of a split count if they name at least this share of the pictures.
_LEAST_LISTED = 0.5

ROWS = (
    LayoutRow(
        "class_folders",
        "classification",
        "at least two folders of pictures side by side: in `images/`, in `projectDir`, or in folders around them",
        "each folder is a class, with all pictures in it and below it",
    ),
    LayoutRow(
        "class_folders_split",
        "classification",
        "`train/` beside `valid/` (`val`, `validation`) or `test/`, with class folders in them; also inside `images/`, "
        "around `images/`, inside each class, or named `seg_train`, `val2017`",
        "classes are put together. `train` trains, `test` scores, or `valid` where there is no `test`. "
        "`validationSplit` is not used",
    ),
)


@dataclass(frozen=True)
class _Found:
    """The class folders that were found.

    name, rule: as in ClassLayout. roots: the folders in which class folders lie. classes: (label, folder, part) of each
    class folder.
    """

    name: str
    rule: str
    roots: tuple[str, ...]
    classes: tuple[tuple[str, str, Part], ...]


def recognise_classes(tree: Tree) -> ClassLayout:
    """The classes of a project, or a TrainingError that says what is unclear and how to change it.

    Raises no_images, bad_labels_info, layout_unclear, layout_unsupported, and too_few_classes where corrections leave
    too little. Otherwise a class with too few pictures is no error.
    """
    tree, corrections = set_aside_corrections(tree)
    index = PictureIndex(tree)
    refuse_folders_of_other_exports(index, "")
    if not index.paths:
        raise no_class_folders(index)
    root = _root(index, "")
    refuse_folders_of_other_exports(index, root)
    found = _split(index, root) or _class_folders(index, root)
    if found is None or len({label for label, _, _ in found.classes}) < 2:
        listed = rows_of_lists(index, root, corrections.decided)
        if listed is not None:
            return completed(index, listed, (root,), {}, corrections)
        refuse_other_labels(index)
        if found is None or labels_in_names(index) or (labels_not_read(tree) and not corrections.decided):
            raise no_class_folders(index)
    about_masks = findings_about_masks(index, found.classes)
    rows = tuple(
        LabelledFile(path, label, part) for label, folder, part in found.classes for path in index.all_below(folder)
    )
    rule, lists, about_split = found.rule, list[str](), list[Finding]()
    if all(row.part is Part.ANY for row in rows):
        rows, lists, about_split = _split_by_lists(index, rows)
        rule += f" The split is that of {some_of(lists)}." if lists else ""
    trained = {row.label for row in rows if row.part in (Part.ANY, Part.TRAIN)}
    trained_classes = [each for each in found.classes if each[0] in trained]
    findings = (
        *folder_findings(index, trained_classes),
        *about_masks,
        *about_split,
        *findings_about_lists(index, rows),
    )
    empty = {comparable(name_of(folder)): folder for root in found.roots for folder in _empty_classes(index, root)}
    layout = ClassLayout(found.name, rule, (), rows, findings, tuple(lists))
    return completed(index, layout, found.roots, empty, corrections)


def _split_by_lists(
    index: PictureIndex, rows: tuple[LabelledFile, ...]
) -> tuple[tuple[LabelledFile, ...], list[str], list[Finding]]:
    """The rows with the parts that lists such as `train.txt` and `test.txt` give them, these lists, and findings.

    Without a usable split the rows stay as they are, and there are no lists.
    """
    paths = [row.path for row in rows]
    parts = split_lists(AnnotationFiles(index.tree), lambda: PictureNames(paths))
    lists = lists_of_parts(index.tree)
    if len(parts) < _LEAST_LISTED * len(rows) or not {Part.TRAIN} < set(parts.values()):
        all_train = len(parts) == len(rows) and set(parts.values()) == {Part.TRAIN}
        return rows, [], unused_parts(lists) if parts and not all_train else []
    return tuple(replace(row, part=parts.get(row.path, Part.ANY)) for row in rows), lists, []


def _root(index: PictureIndex, start: str) -> str:
    """The folder in which class folders or the parts of a split lie: `images/`, or what one unzipped folder holds."""
    here = start
    while True:
        folders = index.folders(here)
        if parts_of(map(name_of, folders)):
            return here
        images = [folder for folder in folders if name_of(folder).casefold() == IMAGES and index.folders(folder)]
        if images:
            _refuse_beside(index, images, [folder for folder in folders if folder not in images])
            here = images[0]
        elif len(folders) == 1 and (len(index.folders(folders[0])) > 1 or not index.loose(folders[0])):
            here = folders[0]
        else:
            return here


def _refuse_beside(index: PictureIndex, images: Sequence[str], others: Sequence[str]) -> None:
    """Raise layout_unclear for other folders with pictures beside images/: they may be classes or not."""
    if len(images) > 1:
        raise layout_unclear(
            f"Class folders lie in {some_folders(images)}, so it is unclear which of them are meant.",
            "Put all class folders into one of them.",
        )
    unclear = [
        folder for folder in others if name_of(folder).casefold() not in MASK_NAMES and not _is_pool(index, folder)
    ]
    if unclear:
        counts = some_of([f"{folder}/ ({index.below[folder]} pictures)" for folder in unclear])
        raise layout_unclear(
            f"Class folders lie in {printable(images[0])}/, and beside it {counts}: it is unclear whether "
            f"{'that is a class' if len(unclear) == 1 else 'those are classes'} as well.",
            f"Move {'it' if len(unclear) == 1 else 'them'} into {printable(images[0])}/, or out of the project.",
        )


def _is_pool(index: PictureIndex, folder: str) -> bool:
    """Whether links elsewhere lead to all pictures of a folder, so that the folder only stores them."""
    return bool(index.links_to) and all(
        any(not link.startswith(f"{folder}/") for link in index.links_to.get(path, ()))
        for path in index.all_below(folder)
    )


def _split(index: PictureIndex, root: str) -> _Found | None:
    """The caller's own split: folders of parts around class folders; None where there are none."""
    folders = index.folders(root)
    parts = {f"{root}/{name}" if root else name: part for name, part in parts_of(map(name_of, folders)).items()}
    if not parts:
        return None
    roots = {folder: _root(index, folder) for folder in parts}
    classes = _labelled(
        (folder, part) for part_folder, part in parts.items() for folder in index.folders(roots[part_folder])
    )
    meant = [folder for _, folder, part in classes if part is Part.TRAIN and not _says_nothing(name_of(folder))]
    if not meant:
        return None
    classes = _with_one_spelling(classes)
    trained = {label for label, _, part in classes if part is Part.TRAIN}
    # Pictures to predict in `test/images/` are of no class.
    classes = tuple(row for row in classes if row[0] in trained or not _says_nothing(name_of(row[1])))
    for folder in parts:
        refuse_folders_of_other_exports(index, roots[folder])
    _refuse_other_classes(classes, trained)
    others = [folder for folder in folders if folder not in parts and not _is_pool(index, folder)]
    unclear = [folder for folder in others if not _is_left_out(index, folder, parts)]
    if unclear:
        raise layout_unclear(
            f"{some_folders(list(parts))} are the parts of a split, and {some_folders(unclear)} lies beside them with "
            "pictures: it is unclear what that stands for.",
            "If it is a part as well, call it train, valid or test. Else move it into the parts as a class, or out of "
            "the project.",
        )
    rule = f"Found class folders below {some_folders(list(parts))}. {_what_scores({part for _, _, part in classes})}"
    return _Found("class_folders_split", rule, tuple(roots.values()), classes)


def _is_left_out(index: PictureIndex, folder: str, parts: Iterable[str]) -> bool:
    """Whether a folder beside the parts of a split is clearly not used.

    It is set aside by its name (`predictions/`), is one more part that scores (`test-multiple_fruits/`), or holds the
    parts a second time, as in the well-known set `chest_xray/`.
    """
    if is_set_aside(name_of(folder)) or part_of(name_of(folder)) in (Part.VAL, Part.TEST):
        return True
    outside = len(folder_of(folder)) + 1 if folder_of(folder) else 0
    known = {path[outside:] for part in parts for path in index.all_below(part)}
    return all(path[len(folder) + 1 :] in known for path in index.all_below(folder))


def _refuse_other_classes(classes: Sequence[tuple[str, str, Part]], trained: Set[str]) -> None:
    """Raise layout_unclear if the parts that score have classes, but none of those that train.

    A single folder there, as in Kaggle's `test/unknown/`, holds pictures of no known class.
    """
    scored = {label for label, _, part in classes if part is not Part.TRAIN}
    if len(scored) > 1 and not scored & trained:
        raise layout_unclear(
            f"No class of the part that trains ({some_of(sorted(trained), most=3)}) is in the parts that score "
            f"({some_of(sorted(scored), most=3)}).",
            "Give the folder of a class the same name in all parts.",
        )


def _what_scores(parts: set[Part]) -> str:
    if not parts & {Part.TEST, Part.VAL}:
        return "Only the part that trains holds class folders, so some of its pictures score the model instead."
    return f"They are the parts of a split: {'test' if Part.TEST in parts else 'valid'} is there to score the model."


def _with_one_spelling(classes: Sequence[tuple[str, str, Part]]) -> tuple[tuple[str, str, Part], ...]:
    """Name the class of `train/red_rose` and `test/Red Rose` as in train/.

    Two spellings within one part stay two classes.
    """
    spellings: dict[str, dict[str, set[Part]]] = defaultdict(lambda: defaultdict(set))
    for label, _, part in classes:
        spellings[alike_form(label)][label].add(part)
    renamed: dict[str, str] = {}
    for parts_of_label in spellings.values():
        parts = [part for parts in parts_of_label.values() for part in parts]
        if len(parts) == len(set(parts)):
            name = next((label for label, found in parts_of_label.items() if Part.TRAIN in found), "")
            renamed.update((label, name or label) for label in parts_of_label)
    return tuple((renamed.get(label, label), folder, part) for label, folder, part in classes)


def _class_folders(index: PictureIndex, root: str) -> _Found | None:
    """Class folders side by side; None where all pictures lie in one place, so that no folder tells classes apart."""
    folders = index.folders(root)
    pools = [folder for folder in folders if _is_pool(index, folder)]
    folders = [folder for folder in folders if folder not in pools]
    if parts_of(map(name_of, folders)):
        return None
    if len(folders) > 1:  # here images/ holds loose pictures only
        folders = [folder for folder in folders if name_of(folder).casefold() != IMAGES]
    _refuse_copies_by_link(index, pools, folders)
    if not folders or (len(folders) == 1 and _says_nothing(name_of(folders[0]))):
        return None
    refuse_parts_as_classes(index, folders)
    where = f"{printable(root)}/" if root else "the project folder"
    classes = _labelled((folder, Part.ANY) for folder in folders)
    divided = divided_classes(index, classes)
    if divided:
        scores = "test" if Part.TEST in {part for _, _, part in divided} else "valid"
        rule = f"Found class folders in {where}, each with its own split: {scores} is there to score the model."
        return _Found("class_folders_split", rule, (root,), divided)
    return _Found("class_folders", f"Found class folders in {where}.", (root,), classes)


def _labelled(folders: Iterable[tuple[str, Part]]) -> tuple[tuple[str, str, Part], ...]:
    """(label, folder, part). A label is the folder's name; what is not UTF-8 in it is escaped."""
    classes: list[tuple[str, str, Part]] = []
    names: dict[str, str] = {}
    for folder, part in folders:
        name = comparable(name_of(folder))
        label = name if as_utf8(name) == name else printable(name)
        if names.setdefault(label, name) != name:
            raise layout_unclear(f"Two class folders would both be shown as {label}.", "Rename one of them.")
        classes.append((label, folder, part))
    return tuple(classes)


def _says_nothing(name: str) -> bool:
    """Whether a folder of this name alone, such as images or train, tells no class."""
    return (
        name.casefold() in {IMAGES, "image", "img", "imgs", "photos", "pictures", "data"}
        or part_of(name) is not Part.ANY
    )


def _refuse_copies_by_link(index: PictureIndex, pools: Sequence[str], folders: Sequence[str]) -> None:
    for pool in pools:
        inside = set(index.all_below(pool))
        users = [
            folder
            for folder in folders
            if any(index.tree.linked.get(path) in inside for path in index.all_below(folder))
        ]
        if len(users) < 2:
            raise layout_unclear(
                f"{some_folders([pool, *users])} hold the same pictures by links, and it is unclear which one is the "
                "class.",
                "Delete one of them.",
            )


def _empty_classes(index: PictureIndex, root: str) -> list[str]:
    """Folders without pictures that may be meant as classes.

    In projectDir itself a folder counts if it holds nothing but what people take for pictures, such as films, scans or
    shortcuts.
    """
    empty = [
        folder
        for folder in index.tree.folders_in(root)
        if not index.below[folder] and not name_of(folder).startswith(".")
    ]
    if root:
        return empty
    return [
        folder
        for folder in empty
        if name_of(folder).casefold() not in {IMAGES, *MASK_NAMES}
        and _were_meant_as_pictures(list(index.tree.files_below(folder)))
    ]


def _were_meant_as_pictures(paths: Sequence[str]) -> bool:
    """Whether files are of kinds that people take for pictures. One or two documents tell of pictures."""
    suffixes = [suffix_of(path) for path in paths]
    kinds = SHORTCUT_SUFFIXES | NO_PICTURES_BUT_LIKE_THEM.keys() | {ONLY_IN_CLOUD_SUFFIX}
    return kinds.issuperset(suffixes) and not (len(paths) < _LEAST_SCANS and DOCUMENT_SUFFIXES.intersection(suffixes))
