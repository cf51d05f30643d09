"""Small files that list the classes in mask files: labelmap.txt, class_dict.csv, dataset.json and their like."""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Callable

import msgspec

from protocol.errors import TrainingError
from trainer_worker.layouts.annotation_files import AnnotationError, AnnotationFiles, as_json
from trainer_worker.layouts.drawn_masks import BACKGROUND, class_name
from trainer_worker.layouts.layout import MAX_CLASSES, ListedClass
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.pictures.text_files import CLASSES_FILE

ROWS = (
    LayoutRow(
        "cvat_masks",
        "segmentation",
        "mask files that pair by name, with `labelmap.txt`, which lists a colour for each class (CVAT's "
        "`Segmentation mask 1.1`)",
        "a colour in the masks is the class of that colour",
    ),
    LayoutRow(
        "pascal_voc",
        "segmentation",
        "`JPEGImages/` beside `SegmentationClass/`",
        "255 is unlabelled. Lists in `ImageSets/Segmentation/` are the split. In the original set the 21 classes have "
        "their names",
    ),
)
#: Names for pixels without an object, and for pixels without a label.
_BACKGROUND_NAMES = frozenset({BACKGROUND, "_background_", "__background__"})
_VOID_NAMES = frozenset({"__ignore__", "void", "unlabelled", "unlabeled", "ignore"})
_MAX_LINES = 1000
_MOST_CHARACTERS = 64 * 1024
#: The folder of masks beside nnU-Net's dataset.json.
_NNUNETS_MASKS = "labelsTr"
Colour = tuple[int, int, int]

VOC_CLASSES = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def listed_classes(files: AnnotationFiles) -> tuple[str, tuple[ListedClass, ...]] | None:
    """The path of the first such list and its classes, background first; None if there is none.

    classes.txt in the project folder is not looked for here. Raises TrainingError bad_classes.
    """
    for path in sorted(files.tree.files, key=lambda path: (path.count("/"), path)):
        read = _READERS.get(posixpath.basename(path).lower())
        if read is None:
            continue
        is_json = read is _nnunet
        if is_json and posixpath.join(posixpath.dirname(path), _NNUNETS_MASKS) not in files.tree.folders:
            continue  # other programs have files of this name, with other numbers
        try:
            text = files.text(path)
            found = read(text if is_json else text[:_MOST_CHARACTERS])
            if is_json and not found:
                continue
            if len(found) > MAX_CLASSES or not found:
                raise AnnotationError(f"it lists {len(found)} classes; 1 to {MAX_CLASSES} are possible")
            return path, _background_first(found)
        except AnnotationError as error:
            raise TrainingError(
                "bad_classes", f"{path} can't be used: {error}. Correct it, or remove it if masks have no classes."
            ) from error
    return None


def classes_file(files: AnnotationFiles) -> str:
    """The path of classes.txt, in the project or a folder of it; "" if there is none or several."""
    found = [path for path in files.tree.files if posixpath.basename(path) == CLASSES_FILE]
    return CLASSES_FILE if CLASSES_FILE in found else found[0] if len(found) == 1 else ""


def voc_classes() -> tuple[ListedClass, ...]:
    """The 21 classes of the original PASCAL VOC, with the colours of its palette."""
    return tuple(ListedClass(name, number, voc_colour(number)) for number, name in enumerate(VOC_CLASSES))


def voc_colour(number: int) -> Colour:
    """VOC's palette: the bits of the number, spread over the channels from the highest bit down."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (number >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]


def _background_first(found: list[ListedClass]) -> tuple[ListedClass, ...]:
    background = next((item for item in found if item.name.casefold() in _BACKGROUND_NAMES), None)
    if background is None:
        background = next((item for item in found if item.colour == (0, 0, 0) or item.number == 0), None)
    rest = [item for item in found if item is not background and item.name.casefold() not in _VOID_NAMES]
    names = [item.name for item in rest]
    if len(set(names)) < len(names):
        raise AnnotationError("it lists a class twice")
    if background is None:
        has_colours = any(item.colour is not None for item in rest)
        background = ListedClass(BACKGROUND, None if has_colours else 0, (0, 0, 0) if has_colours else None)
    if not rest:
        raise AnnotationError("it lists the background only")
    return (background, *rest)


def _labelmap(text: str) -> list[ListedClass]:
    """CVAT: `name:red,green,blue:parts:actions`, with comments after #."""
    found = []
    for line in text.splitlines()[:_MAX_LINES]:
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(":")
            colour = rest.partition(":")[0]
            found.append(ListedClass(class_name(name), None, _colour(colour.split(",")) if colour.strip() else None))
    return found


def _colour(channels: list[str]) -> Colour:
    numbers = [int(text) for text in channels if text.strip().isdecimal() and len(text.strip()) <= 3]
    if len(numbers) != 3 or len(channels) != 3 or max(numbers) > 255:
        raise AnnotationError(f"it has {','.join(channels)[:40]!r} where a colour such as 255,0,0 is expected")
    return numbers[0], numbers[1], numbers[2]


def _rows(text: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(text.splitlines()[:_MAX_LINES], skipinitialspace=True) if any(row)]
    except csv.Error as error:
        raise AnnotationError(f"it is no table ({error})") from error


def _class_dict(text: str) -> list[ListedClass]:
    """name,r,g,b with a header line."""
    found = [row for row in _rows(text) if len(row) >= 4 and row[1].strip().isdecimal()]
    return [ListedClass(class_name(row[0]), None, _colour(row[1:4])) for row in found]


def _label_colours(text: str) -> list[ListedClass]:
    """CamVid: red, green, blue and the name, with spaces."""
    rows = [line.split(maxsplit=3) for line in text.splitlines()[:_MAX_LINES] if line.strip()]
    return [ListedClass(class_name(row[3]), None, _colour(row[:3])) for row in rows if len(row) == 4]


def _pixel_values(text: str) -> list[ListedClass]:
    """Roboflow's masks: `Pixel Value, Class`, with a header line."""
    rows = [row for row in _rows(text) if len(row) >= 2 and row[0].strip().isdecimal() and len(row[0]) <= 5]
    return [ListedClass(class_name(row[1]), int(row[0])) for row in rows]


def _names_in_order(text: str) -> list[ListedClass]:
    """LabelMe's class_names.txt: `__ignore__`, `_background_`, and the names in the order of their numbers."""
    names = [class_name(line) for line in text.splitlines()[:_MAX_LINES] if line.strip()]
    names = [name for name in names if name != "__ignore__"]
    return [ListedClass(name, number) for number, name in enumerate(names)]


def _nnunet(text: str) -> list[ListedClass]:
    """nnU-Net's dataset.json: `labels` has a number for each name, or in older ones a name for each number.

    Empty if it is another file of this name, or if its labels are regions, which stand for several numbers.
    """
    try:
        labels = as_json(text.encode(), dict[str, msgspec.Raw]).get("labels", b"{}")
        pairs = as_json(labels, dict[str, int | str])
    except AnnotationError:
        return []
    named = [(str(value), key) if key.isdecimal() else (key, str(value)) for key, value in pairs.items()]
    if not all(number.isdecimal() and len(number) <= 5 and int(number) < MAX_CLASSES for _, number in named):
        return []
    return sorted((ListedClass(class_name(name), int(number)) for name, number in named), key=lambda c: c.number or 0)


_READERS: dict[str, Callable[[str], list[ListedClass]]] = {
    "labelmap.txt": _labelmap,
    "class_dict.csv": _class_dict,
    "label_colors.txt": _label_colours,
    "_classes.csv": _pixel_values,
    "class_names.txt": _names_in_order,
    "dataset.json": _nnunet,
}
