"""Collects the outlines of a set, whatever the format of its annotations, and makes the layout from them."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.layouts.annotation_files import (
    MAX_OBJECTS_OF_PICTURE,
    AnnotationError,
    AnnotationFiles,
    PictureNames,
)
from trainer_worker.layouts.doubtful_names import alike_classes
from trainer_worker.layouts.layout import (
    MAX_CLASS_NAME_CHARS,
    MAX_CLASSES,
    Bitmap,
    Drawing,
    ListedClass,
    MaskedFile,
    MaskLayout,
    Part,
    Polygon,
    RunLengths,
    UnusedFile,
)
from trainer_worker.layouts.mask_words import folder_meaning

BACKGROUND = "background"
#: The most memory for the outlines of a set. They are kept during the training.
MAX_HELD_BYTES = 512 * 1024**2
_BYTES_OF_OBJECT = 300
_MOST_REASONS = 10
BOX_ONLY = "an object of it has a box, but no outline"
_NOT_NAMED = "no annotation names it"


@dataclass
class DrawnMasks:
    """Collects the pictures of one export.

    name: the layout's row. files, pictures: of the project. drawings: by the picture's path, with its part. listed:
    class names in the order of the export's own list. left_out: pictures that can't be used, with the reason.
    """

    name: str
    files: AnnotationFiles
    pictures: PictureNames
    drawings: dict[str, tuple[Drawing, Part]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    bad_files: dict[str, str] = field(default_factory=dict)
    without_area: int = 0
    _held_bytes: int = 0

    def add(self, picture: str, drawing: Drawing, source: str, part: Part = Part.ANY) -> None:
        """source: the file that says so. Raises TrainingError layout_unclear if two files draw one picture."""
        if picture in self.drawings and self.sources[picture] == source:
            self.leave_out(picture, f"{source} names it more than once")
            return
        if picture in self.drawings:
            raise TrainingError(
                "layout_unclear",
                f"Both {self.sources[picture]} and {source} hold outlines for {picture}. Keep the right one, and move "
                "the other file out of the project.",
            )
        if len(drawing.objects) > MAX_OBJECTS_OF_PICTURE:
            self.leave_out(picture, f"it has more than {MAX_OBJECTS_OF_PICTURE:,} objects")
            return
        self._held_bytes += sum(map(_held_bytes, drawing.objects))
        if self._held_bytes > MAX_HELD_BYTES:
            raise TrainingError(
                "layout_unsupported",
                f"The outlines take more than {MAX_HELD_BYTES // 1024**2} MB of memory. Export them with fewer points, "
                "or as mask files.",
            )
        folder = folder_meaning(posixpath.dirname(picture)).part
        self.drawings[picture] = (drawing, part or folder)
        self.sources[picture] = source

    def note(self, error: AnnotationError, path: str, picture: str | None = None) -> None:
        """Leave out the picture, or the whole file `path` if the error is about no single picture."""
        if picture is None:
            self.bad_files[path] = str(error)
        else:
            self.leave_out(picture, str(error))

    def leave_out(self, picture: str, reason: str) -> None:
        self.left_out.setdefault(picture, reason)

    def layout(self, what: str) -> MaskLayout | None:
        """None if no picture is drawn. what: the export in words, for the rule."""
        for picture in self.left_out:
            self.drawings.pop(picture, None)
        if not self.drawings:
            self._raise_if_nothing_is_left(what)
            return None
        names = self._class_names()
        self._leave_out_the_rest()
        sources = sorted(set(self.sources.values()))
        shown = sources[0] + (f" and {len(sources) - 1} more files" if len(sources) > 1 else "")
        objects = sum(len(drawing.objects) for drawing, _ in self.drawings.values())
        return MaskLayout(
            self.name,
            f"Found {what}: masks of {len(self.drawings)} pictures are drawn from {objects} objects in {shown}.",
            tuple(ListedClass(name, number) for number, name in enumerate(names)),
            tuple(MaskedFile(path, drawing, part) for path, (drawing, part) in sorted(self.drawings.items())),
            tuple(self._findings(names)),
            tuple(UnusedFile(path, reason) for path, reason in sorted((self.left_out | self.bad_files).items())),
        )

    def _raise_if_nothing_is_left(self, what: str) -> None:
        if self.left_out:
            path, reason = min(self.left_out.items())
            raise TrainingError(
                "no_masks",
                f"Found {what}, but none of its {len(self.left_out)} pictures can be used. {path}: {reason}.",
            )
        if self.bad_files:
            path, reason = min(self.bad_files.items())
            raise TrainingError("no_masks", f"Found {what}, but {path} can't be used: {reason}. Export it again.")
        if self.missing:
            raise TrainingError(
                "no_images",
                f"Found {what}, but none of the {len(self.missing)} pictures that it names lies in the project, such "
                f"as {self.missing[0][:200]!r}. Put the pictures beside it, under these names.",
            )

    def _class_names(self) -> list[str]:
        """Background first, then the classes with objects, in the order of the export's list."""
        used = {item.class_name for drawing, _ in self.drawings.values() for item in drawing.objects}
        order = dict.fromkeys([*self.listed, *sorted(used)])
        background = next((name for name in order if name.casefold() == BACKGROUND), BACKGROUND)
        names = [background, *(name for name in order if name in used and name != background)]
        if len(names) == 1:
            raise TrainingError(
                "no_masks",
                f"None of the {len(self.drawings)} pictures has an object with an area. Draw polygons around the "
                "objects, and export them again.",
            )
        if len(names) > MAX_CLASSES:
            raise TrainingError(
                "bad_classes",
                f"The annotations have {len(names) - 1} classes; {MAX_CLASSES - 1} besides the background are "
                "possible. Put some of them together, and export again.",
            )
        return names

    def _leave_out_the_rest(self) -> None:
        """Pictures of the same folders that no annotation names."""
        folders = {posixpath.dirname(path) for path in self.drawings}
        for path in self.pictures.paths:
            if path not in self.drawings and posixpath.dirname(path) in folders:
                self.leave_out(path, _NOT_NAMED)

    def _objects(self) -> Iterable[Polygon | Bitmap | RunLengths]:
        return (item for drawing, _ in self.drawings.values() for item in drawing.objects)

    def _findings(self, names: Sequence[str]) -> Iterable[Finding]:
        by_reason: dict[str, list[str]] = defaultdict(list)
        for path, reason in self.left_out.items():
            by_reason[reason].append(path)
        for reason, paths in _few_reasons(by_reason):
            code = "pictures_without_annotation" if reason == _NOT_NAMED else "unusable_annotations"
            sentence = f"Pictures are left out: {len(paths)}. The reason: {reason}."
            cure = "Annotate them." if reason == _NOT_NAMED else "Correct their annotations, and export them again."
            yield finding(code, Severity.WARNING, sentence, cure, paths)
        for path, reason in list(self.bad_files.items())[:10]:
            yield finding(
                "unreadable_annotations", Severity.WARNING, f"{path} is not used: {reason}.", "Export it again.", [path]
            )
        if self.missing:
            sentence = f"The annotations name {len(self.missing)} pictures that the project doesn't hold."
            yield finding(
                "annotated_pictures_missing", Severity.WARNING, sentence, "Put them into the project.", self.missing
            )
        yield from alike_classes(names, "give their objects one name")
        if all(map(_is_rectangle, self._objects())):
            sentence = "All objects are rectangles, so the model learns boxes in place of the outlines of objects."
            yield finding(
                "rectangles_only", Severity.WARNING, sentence, "Unless they are rectangles, draw their outlines."
            )
        empty = sorted(path for path, (drawing, _) in self.drawings.items() if not drawing.objects)
        if empty:
            sentence = f"{len(empty)} annotated pictures have no object: they are background all over."
            cure = "If they are only not annotated yet, leave them out."
            yield finding("pictures_without_objects", Severity.WARNING, sentence, cure, empty)
        if self.without_area:
            sentence = f"Objects without an area, such as points and lines, are not drawn: {self.without_area}."
            yield finding("objects_without_area", Severity.WARNING, sentence, "Draw polygons instead.")
        unused = [name for name in dict.fromkeys(self.listed) if name not in names and name.casefold() != BACKGROUND]
        if unused:
            shown = ", ".join(unused[:10])
            sentence = f"Listed classes without any object are left out: {shown}."
            yield finding("classes_without_objects", Severity.INFO, sentence)


def _few_reasons(by_reason: Mapping[str, list[str]]) -> list[tuple[str, list[str]]]:
    """The first reasons why pictures are left out, each with its pictures; the rest of them in one.

    Missing annotations come first, because their cure is another one.
    """
    reasons = sorted(by_reason.items(), key=lambda row: row[0] != _NOT_NAMED)
    if len(reasons) > _MOST_REASONS:
        rest = reasons[_MOST_REASONS - 1 :]
        others = f"{rest[0][0]}, and others"
        reasons = [*reasons[: _MOST_REASONS - 1], (others, [path for _, paths in rest for path in paths])]
    return reasons


def _is_rectangle(item: Polygon | Bitmap | RunLengths) -> bool:
    """Whether an object is a box with upright sides."""
    if not isinstance(item, Polygon) or item.holes or len(item.outline) not in (8, 10):
        return False
    return len(set(item.outline[::2])) == 2 == len(set(item.outline[1::2]))


def _held_bytes(item: Polygon | Bitmap | RunLengths) -> int:
    if isinstance(item, Bitmap):
        return _BYTES_OF_OBJECT + len(item.png)
    if isinstance(item, RunLengths):
        size_bytes = len(item.counts) if isinstance(item.counts, bytes) else 8 * len(item.counts)
        return _BYTES_OF_OBJECT + size_bytes
    return _BYTES_OF_OBJECT + 8 * (len(item.outline) + sum(map(len, item.holes)))


def boxes_only(found: str) -> TrainingError:
    """The error for an export without outlines. found: a sentence that names it."""
    return TrainingError(
        "layout_unsupported",
        f"{found} Segmentation learns from outlines: export polygons or masks, such as COCO. No trainType learns from "
        "boxes.",
    )


def class_name(name: str) -> str:
    """A name as it stands in the model's labels. Raises AnnotationError."""
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not cleaned or not cleaned.isprintable() or len(cleaned) > MAX_CLASS_NAME_CHARS:
        raise AnnotationError(f"it has an object whose class has no usable name ({name[:40]!r})")
    return cleaned


def in_order(names: Mapping[int, str]) -> list[str]:
    """Class names in the order of their numbers."""
    return [names[number] for number in sorted(names)]
