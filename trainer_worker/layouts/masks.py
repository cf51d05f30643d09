"""Recognises pictures with masks, of whatever kind: mask files that pair by name, or annotations to be drawn."""

from __future__ import annotations

import dataclasses
import posixpath
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.layouts import coco, label_studio, labelme, mask_class_lists, mask_pairs, supervisely, via, yolo
from trainer_worker.layouts.annotation_files import AnnotationError, AnnotationFiles, PictureNames, as_json
from trainer_worker.layouts.class_findings import unfinished_findings
from trainer_worker.layouts.corrections import set_aside_corrections
from trainer_worker.layouts.drawn_masks import DrawnMasks, boxes_only
from trainer_worker.layouts.files_not_read import pictures_not_read
from trainer_worker.layouts.layout import MaskLayout, Part
from trainer_worker.layouts.mask_pairs import Candidates, Pairs, candidates, pair_masks
from trainer_worker.layouts.mask_words import folder_meaning
from trainer_worker.layouts.name_lists import skipped_sentence
from trainer_worker.layouts.numbered_names import shifted_numbers
from trainer_worker.layouts.pair_findings import NO_MASK
from trainer_worker.layouts.part_names import PART_WORDS, parts_of
from trainer_worker.layouts.split_lists import split_lists
from trainer_worker.layouts.tree import Tree

ROWS = (
    *mask_pairs.ROWS,
    *mask_class_lists.ROWS,
    label_studio.ROW,
    coco.ROW,
    labelme.ROW,
    supervisely.ROW,
    via.ROW,
    yolo.ROW,
)
#: The format of a folder's files of annotations is told from this many of them.
_LOOKED_AT = 20
#: Two folders may hold pictures and their masks if this share of their files has the same names.
_SHARE_OF_SAME_NAMES = 0.8

#: Columns of tables that hold masks, such as those of Kaggle's competitions.
_RUN_LENGTHS = ("encodedpixels", "rle_mask")
_CVAT = "CVAT"

Kinds = dict[str, list[str]]


def recognise_masks(tree: Tree) -> MaskLayout:
    """What a folder means to segmentation.

    Raises TrainingError: no_images, no_masks, layout_unclear, layout_unsupported, bad_classes.
    """
    tree, corrections = set_aside_corrections(tree)
    layout = corrections.of_masks(_with_split(_recognised(tree), tree))
    findings = (*tree.findings, *layout.findings, *unfinished_findings(tree.files))
    return dataclasses.replace(layout, findings=findings)


def _recognised(tree: Tree) -> MaskLayout:
    files = AnnotationFiles(tree)
    if brushes := label_studio.brush_masks(tree):
        exports = _kinds_of_json(files).get("label_studio", [])
        return label_studio.recognise_label_studio(brushes, files, exports)
    found = candidates(tree)
    in_masks_only = not found.pictures
    if in_masks_only:
        found = candidates(tree, folders_tell=False)
    pairs = pair_masks(found) if found.pictures else None
    if pairs is not None:
        return _of_pairs(pairs, files)
    layout = _of_annotations(files, found) if found.pictures else None
    if layout is None:
        raise _no_images(tree, found) if in_masks_only else _no_masks(tree, found)
    return layout


def _with_split(layout: MaskLayout, tree: Tree) -> MaskLayout:
    """Add the split that folders such as ds_train/ and ds_val/ make together."""
    split: dict[str, Part] = {}
    for parent in ("", *tree.folders):
        folders = {posixpath.basename(folder): folder for folder in tree.folders_in(parent)}
        split |= {folders[name]: part for name, part in parts_of(folders).items()}
    if not split:
        return layout
    pictures = tuple(
        picture if picture.part else dataclasses.replace(picture, part=_part_around(picture.path, split))
        for picture in layout.pictures
    )
    return dataclasses.replace(layout, pictures=pictures)


def _part_around(path: str, split: dict[str, Part]) -> Part:
    while path := posixpath.dirname(path):
        if path in split:
            return split[path]
    return Part.ANY


def _of_pairs(pairs: Pairs, files: AnnotationFiles) -> MaskLayout:
    """Mask files, with the list of their classes and the lists of the split, where there are any."""
    paths = [picture.path for picture in pairs.pictures]
    parts = split_lists(files, lambda: PictureNames(paths))
    pictures = tuple(dataclasses.replace(p, part=parts.get(p.path, p.part)) for p in pairs.pictures)
    name, rule, classes = pairs.name, pairs.rule, None
    is_voc = any("segmentationclass" in folder.lower() for folder in files.tree.folders)
    if listed := mask_class_lists.listed_classes(files):
        path, classes = listed
        rule += f" {path} lists {len(classes)} classes."
        name = "cvat_masks" if posixpath.basename(path).lower() == "labelmap.txt" else name
    elif is_voc:
        name = "pascal_voc"
        if all(_is_of_voc(path) for path in paths):
            classes = mask_class_lists.voc_classes()
            rule += " The pictures are those of PASCAL VOC, which has 21 classes."
    findings = (*pairs.findings, *_unused_annotations(files, pairs))
    file = mask_class_lists.classes_file(files)
    return MaskLayout(name, rule, None if file else classes, pictures, findings, pairs.unused, file)


def _is_of_voc(path: str) -> bool:
    """Whether a picture has a name of the original set, such as 2007_000032."""
    year, _, number = posixpath.splitext(posixpath.basename(path))[0].partition("_")
    return len(year) == 4 and year.startswith("20") and year.isdecimal() and len(number) == 6 and number.isdecimal()


def _unused_annotations(files: AnnotationFiles, pairs: Pairs) -> list[Finding]:
    kinds = _kinds_of_json(files)
    unused = [path for kind in ("coco", "labelme", "supervisely", "via") for path in kinds.get(kind, [])]
    labels = yolo.label_files(files.tree, (picture.path for picture in pairs.pictures))
    if labels and _are_numbers(files, labels):
        unused += sorted(labels.values())
    if not unused:
        return []
    unmasked = [file.path for file in pairs.unused if file.reason == NO_MASK]
    if len(unmasked) > len(pairs.pictures):
        raise TrainingError(
            "layout_unclear",
            f"{len(pairs.pictures)} pictures have mask files, and {len(unmasked)} have none, such as {unmasked[0]}, "
            f"but there are annotations, such as {unused[0]}. Keep the masks or the annotations, and move the others "
            "out of the project.",
        )
    sentence = f"Files of annotations are not used, since there are mask files: {len(unused)}."
    cure = "To draw the masks from them instead, move the mask files out of the project."
    return [finding("annotations_not_used", Severity.INFO, sentence, cure, unused)]


def _of_annotations(files: AnnotationFiles, found: Candidates) -> MaskLayout | None:
    kinds = _kinds_of_json(files)
    csvs = [path for path in files.tree.files if path.lower().endswith(".csv")]
    kinds["via"] = kinds.get("via", []) + [path for path in csvs if _has_columns(files, path, via.CSV_COLUMNS)]
    pictures = PictureNames(file.path for file in found.files)
    labels = yolo.label_files(files.tree, pictures.paths)
    if labels and _are_numbers(files, labels):
        kinds["yolo"] = sorted(labels.values())
    recognisers: dict[str, tuple[str, Callable[[DrawnMasks], MaskLayout | None]]] = {
        "coco": (coco.ROW.name, lambda drawn: coco.recognise_coco(kinds["coco"], drawn)),
        "labelme": (labelme.ROW.name, lambda drawn: labelme.recognise_labelme(kinds["labelme"], drawn)),
        "supervisely": (
            supervisely.ROW.name,
            lambda drawn: supervisely.recognise_supervisely(kinds["supervisely"], kinds.get("meta", []), drawn),
        ),
        "via": (via.ROW.name, lambda drawn: via.recognise_via(kinds["via"], drawn)),
        "yolo": (yolo.ROW.name, lambda drawn: yolo.recognise_yolo(labels, drawn)),
    }
    there = [kind for kind in recognisers if kinds.get(kind)]
    if len(there) > 1:
        first, second = (kinds[kind][0] for kind in there[:2])
        raise TrainingError(
            "layout_unclear",
            f"Annotations come in {len(there)} formats: {first} and {second}. Keep one of them, and move the other "
            "files out of the project.",
        )
    for kind in there:
        name, recognise = recognisers[kind]
        drawn = DrawnMasks(name, files, pictures)
        drawn.bad_files.update(dict.fromkeys(kinds.get("damaged", []), "its JSON can't be read"))
        return recognise(drawn)
    _refuse_unsupported(files, kinds, csvs)
    return None


def _kinds_of_json(files: AnnotationFiles) -> Kinds:
    """The JSON files of annotations, by format. Other JSON files are left out."""
    of_folder: dict[str, list[str]] = defaultdict(list)
    for path in files.tree.files:
        if path.lower().endswith(".json"):
            of_folder[posixpath.dirname(path)].append(path)
    kinds: Kinds = defaultdict(list)
    for paths in of_folder.values():
        here: Kinds = defaultdict(list)
        for path in paths[:_LOOKED_AT]:
            here[_kind_of_json(files, path)].append(path)
        rest = paths[_LOOKED_AT:]
        commonest = max(here, key=lambda kind: (len(here[kind]), kind))
        here[commonest] += rest
        for kind, found in here.items():
            kinds[kind] += found
    kinds.pop("", None)
    return dict(kinds)


def _kind_of_json(files: AnnotationFiles, path: str) -> str:
    try:
        content = files.content(path).removeprefix(b"\xef\xbb\xbf").lstrip()
        if content[:1] == b"[":
            first = as_json(content, list[dict[str, msgspec.Raw]])[:1]
            return "label_studio" if first and {"id", "data"} <= first[0].keys() else ""
        keys = as_json(content, dict[str, msgspec.Raw])
    except AnnotationError:
        return "damaged"
    if {"images", "annotations", "categories"} <= keys.keys():
        return "coco"
    if "shapes" in keys:
        return "labelme"
    if {"objects", "size"} <= keys.keys():
        return "supervisely"
    if "classes" in keys and posixpath.basename(path).lower() == "meta.json":
        return "meta"
    first_value = bytes(next(iter(keys.values()), b""))[:100_000]
    if "_via_img_metadata" in keys or (b'"regions"' in first_value and b'"filename"' in first_value):
        return "via"
    return ""


def _has_columns(files: AnnotationFiles, path: str, columns: Sequence[str]) -> bool:
    try:
        header = files.text(path).partition("\n")[0].lower()
    except AnnotationError:
        return False
    return all(column in header for column in columns)


def _are_numbers(files: AnnotationFiles, labels: dict[str, str]) -> bool:
    """Whether the first of the text files that has a line begins with numbers, as YOLO's do."""
    for path in sorted(labels.values())[:_LOOKED_AT]:
        try:
            words = files.text(path)[:1000].split()
            if words:
                return len([float(word) for word in words[:5]]) == 5
        except (AnnotationError, ValueError):
            continue
    return False


def _refuse_unsupported(files: AnnotationFiles, kinds: Kinds, csvs: Sequence[str]) -> None:
    """Name what is recognised but can't be used. Raises TrainingError layout_unsupported, no_masks."""
    if paths := kinds.get("label_studio"):
        raise TrainingError(
            "layout_unsupported",
            f"{paths[0]} is a JSON export of Label Studio, which is not read. Export the project as COCO, for "
            "polygons, or as Brush labels to PNG, and put that into the folder.",
        )
    for path in csvs:
        if any(_has_columns(files, path, [column]) for column in _RUN_LENGTHS):
            raise TrainingError(
                "layout_unsupported",
                f"{path} holds masks as run lengths, which are read from COCO files only. Draw them, and save one mask "
                "for each picture as PNG into masks/.",
            )
    boxes = [path for path in csvs if _has_columns(files, path, ("xmin", "ymin"))]
    for path in files.tree.files:
        if path.lower().endswith(".xml") and (what := _kind_of_xml(files, path)):
            if what == _CVAT:
                raise TrainingError(
                    "layout_unsupported",
                    f"{path} is CVAT's own XML, which is not read. In CVAT, export the set as Segmentation mask 1.1.",
                )
            boxes.append(f"{path} ({what})")
            break
    if boxes:
        raise boxes_only(f"This looks like an export of boxes: {boxes[0]}.")
    if damaged := kinds.get("damaged"):
        raise TrainingError(
            "no_masks", f"{damaged[0]} can't be read as JSON, and there are no other masks. Export the set again."
        )


def _kind_of_xml(files: AnnotationFiles, path: str) -> str:
    try:
        start = files.content(path)[:4096]
    except AnnotationError:
        return ""
    if b"<annotations" in start:
        return _CVAT
    return "Pascal VOC" if b"<annotation" in start else ""


def _no_images(tree: Tree, found: Candidates) -> TrainingError:
    masks = f", but masks in {_folder(found.files[0].path)}" if found.files else ""
    return TrainingError(
        "no_images",
        f"The project holds no pictures{masks}. Segmentation takes pictures in images/ and one mask for each in "
        f"masks/, named <picture>.png or <picture>_mask.png.{pictures_not_read(tree)}{skipped_sentence(tree.skipped)}",
    )


def _folder(path: str) -> str:
    folder = posixpath.dirname(path)
    return f"{folder}/" if folder else "the project folder"


def _no_masks(tree: Tree, found: Candidates) -> TrainingError:
    """The error for pictures without masks or annotations."""
    folders = found.folders_of_pictures
    cure = "Put one mask for each picture into masks/, named <picture>.png or <picture>_mask.png."
    skipped = skipped_sentence(tree.skipped)
    cure += _same_names(found)
    masks = [found.files[number].path for number in sorted(found.in_mask_folder)]
    if masks:
        picture = found.files[found.pictures[0]].path
        stem = posixpath.splitext(posixpath.basename(picture))[0]
        cure += f" So that of {picture} is called {stem}.png or {stem}_mask.png."
        in_folders = [found.files[number] for number in sorted(found.in_mask_folder)]
        shift = shifted_numbers([found.files[number] for number in found.pictures], in_folders)
        cure += f" {shift} If they belong together, give each mask the number of its picture." if shift else ""
        return TrainingError(
            "no_masks",
            f"No mask has the name of a picture: there are {len(masks)} masks such as {masks[0]} and "
            f"{len(found.pictures)} pictures such as {picture}. {cure}{skipped}",
        )
    places = {folder: set(folder_meaning(folder).place) - PART_WORDS.keys() for folder in folders}
    classes = {"/".join(sorted(place)): folder for folder, place in places.items() if place}
    if len(classes) > 1:
        some = ", ".join(f"{folder}/" for folder in sorted(classes.values())[:3])
        return TrainingError(
            "no_masks",
            f"These look like class folders ({some}), which trainType=classification takes. Segmentation takes "
            f"pictures with masks. {cure}{skipped}",
        )
    where = ", ".join(f"{folder}/" if folder else "the project folder" for folder in sorted(folders)[:3])
    return TrainingError(
        "no_masks",
        f"The project has {len(found.pictures)} pictures in {where} but no masks for them{_not_read(tree, found)}. "
        f"{cure}{skipped}",
    )


def _same_names(found: Candidates) -> str:
    """A sentence if there are two folders only, whose files have the same names; else ""."""
    stems: dict[str, set[str]] = defaultdict(set)
    for file in found.files:
        stems[posixpath.dirname(file.path)].add(file.stem)
    if len(stems) != 2:
        return ""
    (one, names), (other, others) = stems.items()
    if len(names & others) < _SHARE_OF_SAME_NAMES * max(len(names), len(others)):
        return ""
    return (
        f" The folders {one or '.'} and {other or '.'} hold files of the same names: if those of one are the masks of "
        "the others, rename the folders to images and masks."
    )


def _not_read(tree: Tree, found: Candidates) -> str:
    """Names the files in folders of masks whose kind is not read; "" if there are none."""
    candidates = {file.path for file in found.files}
    others = [
        path for path in tree.files if path not in candidates and folder_meaning(posixpath.dirname(path)).role == "mask"
    ]
    if not others:
        return ""
    more = f" and {len(others) - 1} more files" if len(others) > 1 else ""
    return f", since {others[0]}{more} in folders of masks are no pictures. Save masks as PNG"
