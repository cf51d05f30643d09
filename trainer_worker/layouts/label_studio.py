"""Label Studio's brush masks: PNG files whose names tell the number of the task, the class and the object."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import NamedTuple

import msgspec

from protocol.errors import TrainingError
from trainer_worker.layouts.annotation_files import AnnotationError, AnnotationFiles, PictureNames, as_json
from trainer_worker.layouts.drawn_masks import BACKGROUND, class_name
from trainer_worker.layouts.layout import ListedClass, MaskedFile, MaskLayout, ObjectMasks, UnusedFile
from trainer_worker.layouts.mask_words import folded, folder_meaning
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.layouts.tree import Tree

ROW = LayoutRow(
    "label_studio_brush",
    "segmentation",
    "masks named `task-1-annotation-1-by-1-tag-cell-0.png`. The export's JSON says which picture task 1 is, or the "
    "picture is called `task-1` or `1`",
    "the masks of a picture are laid together into one. Each tag is a class",
)
_HEX = frozenset("0123456789abcdef")


class BrushMask(NamedTuple):
    task: str
    annotation: str
    tag: str
    path: str


class _Task(msgspec.Struct):
    id: int
    data: dict[str, msgspec.Raw] = {}
    image: str = ""
    file_upload: str = ""


def brush_masks(tree: Tree) -> list[BrushMask]:
    """The masks among the files, by their names."""
    return [found for path in tree.files if (found := _brush_mask(path)) is not None]


def _brush_mask(path: str) -> BrushMask | None:
    stem, suffix = posixpath.splitext(posixpath.basename(path))
    if not stem.startswith("task-") or suffix.lower() != ".png":
        return None
    words = stem.split("-")
    if len(words) < 6 or words[2] != "annotation" or "tag" not in words[4:-1]:
        return None
    tag = words[words.index("tag", 4) + 1 : -1] if words[-1].isdecimal() else words[words.index("tag", 4) + 1 :]
    return BrushMask(words[1], words[3], "-".join(tag), path)


def recognise_label_studio(masks: list[BrushMask], files: AnnotationFiles, exports: list[str]) -> MaskLayout:
    """exports: JSON files of Label Studio. Raises TrainingError layout_unclear, bad_classes."""
    taken = {mask.path for mask in masks}
    pictures = PictureNames(path for path in files.tree.files if path not in taken)
    of_task = _pictures_of_tasks({mask.task for mask in masks}, files, pictures, exports)
    objects: dict[str, list[BrushMask]] = defaultdict(list)
    for mask in masks:
        if mask.task in of_task:
            objects[of_task[mask.task]].append(mask)
    found = []
    for picture, drawn in sorted(objects.items()):
        if len({mask.annotation for mask in drawn}) > 1:
            raise TrainingError(
                "layout_unclear",
                f"{picture} was annotated more than once in Label Studio: {drawn[0].path} and {drawn[-1].path}. "
                "Keep one annotation for each task, and move the other masks out of the project.",
            )
        part = folder_meaning(posixpath.dirname(picture)).part
        found.append(MaskedFile(picture, ObjectMasks(tuple((mask.path, _tag(mask)) for mask in drawn)), part))
    names = [BACKGROUND, *sorted({_tag(mask) for mask in masks} - {BACKGROUND})]
    unused = [
        UnusedFile(path, "no mask of Label Studio belongs to it") for path in pictures.paths if path not in objects
    ]
    unused += [UnusedFile(mask.path, "mask without a picture of its own") for mask in masks if mask.task not in of_task]
    return MaskLayout(
        ROW.name,
        f"Found Label Studio's brush masks: {len(masks)} masks of {len(found)} pictures.",
        tuple(ListedClass(name, number) for number, name in enumerate(names)),
        tuple(found),
        unused=tuple(unused),
    )


def _tag(mask: BrushMask) -> str:
    try:
        return class_name(mask.tag)
    except AnnotationError as error:
        raise TrainingError("bad_classes", f"{mask.path} can't be used: {error}. Rename it.") from error


def _pictures_of_tasks(
    tasks: set[str], files: AnnotationFiles, pictures: PictureNames, exports: list[str]
) -> dict[str, str]:
    """The picture of each task, by the export's JSON, or by the pictures' names."""
    found: dict[str, str] = {}
    for path in exports:
        try:
            for task in files.json(path, list[_Task]):
                picture = _picture_of(task, pictures)
                if picture:
                    found[str(task.id)] = picture
        except AnnotationError as error:
            raise TrainingError("layout_unclear", f"{path} can't be used: {error}. Export it again.") from error
    if not found:
        stems = {folded(posixpath.splitext(posixpath.basename(path))[0]): path for path in pictures.paths}
        for number in tasks:
            named = stems.get(f"task-{number}") or stems.get(f"task_{number}") or stems.get(number)
            if named:
                found[number] = named
    if not found.keys() & tasks:
        raise TrainingError(
            "layout_unclear",
            f"The names of Label Studio's masks give only the number of a task (task-{min(tasks)}-...), and nothing "
            "says which picture that is. Put Label Studio's JSON export of the same project into the folder, name the "
            "pictures after their tasks (task-1.jpg), or export as COCO.",
        )
    return found


def _picture_of(task: _Task, pictures: PictureNames) -> str | None:
    """The picture of a task, by the name of the upload. Label Studio puts eight hexadecimal digits before that name."""
    texts = [task.image, task.file_upload]
    for value in task.data.values():
        if bytes(value).startswith(b'"'):
            texts.append(as_json(value, str))
    for text in filter(None, texts):
        name = posixpath.basename(text.partition("?")[0].replace("\\", "/"))
        digits, _, rest = name.partition("-")
        own = rest if len(digits) == 8 and set(digits) <= _HEX else name
        try:
            if picture := pictures.find(name) or pictures.find(own):
                return picture
        except AnnotationError:
            continue
    return None
