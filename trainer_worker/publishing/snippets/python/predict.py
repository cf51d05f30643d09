"""Runs the model on pictures, prepared as in its training.

How to use it:
    pip install numpy pillow ai-edge-litert     (or tensorflow instead of ai-edge-litert)
    python predict.py photo.jpg ...             print the model's answer for each photo
    python predict.py --check                   check that the samples give the same answers as when the model was made
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 0.002  # of a probability: runtimes and processors round differently
PIXEL_TOLERANCE = 0.002  # a share of a mask's pixels
UNKNOWN = "unknown"  # what a classifier says of a picture that probably shows none of its labels

#: What each value of the EXIF orientation asks for. 1 and all others ask for nothing.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Model:
    """model.tflite, with its description in input_spec.json and its labels in labels.txt."""

    def __init__(self, root: Path = ROOT) -> None:
        self.spec = json.loads((root / "input_spec.json").read_text("utf-8"))
        self.labels = (root / "labels.txt").read_text("utf-8").splitlines()
        self.input = self.spec["input"]
        self.side = self.input["shape"][1]
        self._interpreter = load_interpreter((root / self.spec["model"]).read_bytes())

    def read(self, path: Path) -> Any:
        """A photo as uint8 (height, width, 3), RGB, read as the `steps` in input_spec.json say."""
        with Image.open(path) as image:
            if self.input["jpeg_draft"]:
                image.draft(None, (self.side, self.side))
            image.load()
            turn = image.getexif().get(ExifTags.Base.Orientation, 1)
            photo = self._of_8_bits(image)
        size = (self.side, self.side)
        if self.input["fit"] == "tiles":
            size = (max(photo.width, self.side), max(photo.height, self.side))
        if photo.size != size:
            photo = photo.resize(size, Image.Resampling.BILINEAR)
        if turn in TURNS:
            photo = photo.transpose(TURNS[turn])
        return np.asarray(photo.convert("RGB"))

    def _of_8_bits(self, image: Image.Image) -> Image.Image:
        """Grey or RGB on white."""
        if image.mode[0] in "IF":
            return self._scaled_grey(image)
        if image.has_transparency_data:
            colours = image.convert("RGBA")
            page = Image.new("RGB", colours.size, "white")
            page.paste(colours, mask=colours.getchannel("A"))
            return page
        return image.convert("L" if image.mode in ("1", "L") else "RGB")

    def _scaled_grey(self, image: Image.Image) -> Image.Image:
        """Grey of more than 8 bits, scaled as the pictures of the training were, or by its own range."""
        values = np.nan_to_num(np.asarray(image, np.float64), nan=0.0)
        name, ranges = ("white_of_floats", "float_ranges") if image.mode == "F" else ("white", "grey_ranges")
        top = values.max()
        own = next((limit for limit in self.input[ranges] if top <= limit), top)
        grey = np.clip(np.rint(values * (255 / self.input["grey_scale"].get(name, own))), 0, 255).astype(np.uint8)
        if "transparency" in image.info:
            grey[values == image.info["transparency"]] = 255
        return Image.fromarray(grey)

    def predict(self, path: Path) -> Any:
        """Numbers from 0 to 1, one for each label: (labels,). Of a segmenter the same for each pixel, or one number for
        foreground: (height, width, classes or 1)."""
        photo = self.read(path)
        if self.input["fit"] == "squash":
            return self._run(photo)
        found = np.empty((*photo.shape[:2], self.spec["output"]["shape"][-1]), np.float32)
        for top, above, below in self._along(photo.shape[0]):
            for left, begin, end in self._along(photo.shape[1]):
                output = self._run(photo[top : top + self.side, left : left + self.side])
                found[above:below, begin:end] = output[above - top : below - top, begin - left : end - left]
        return found

    def _along(self, length: int) -> list[tuple[int, int, int]]:
        """Of the squares along a side: where each begins, and the pixels that are taken from it (from, to)."""
        count = -(-(length - self.side) // (self.side - self.input["tiles"]["overlap_px"]))
        starts = [round(k * (length - self.side) / count) for k in range(count + 1)] if count else [0]
        borders = [(a + b + self.side) // 2 for a, b in itertools.pairwise(starts)]
        return list(zip(starts, [0, *borders], [*borders, length], strict=True))

    def _run(self, square: Any) -> Any:
        batch = square[np.newaxis].astype(np.float32)
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], batch)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])[0]


def load_interpreter(model: bytes) -> Any:
    try:
        from ai_edge_litert import interpreter as runtime
    except ImportError:
        from tensorflow import lite as runtime
    interpreter = runtime.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    return interpreter


def mask_of(model: Model, output: Any) -> Any:
    """A segmenter's mask, uint8 (height, width): 255 for foreground, or the number of each pixel's class."""
    if "threshold" in model.spec["output"]:
        return (output[..., 0] > model.spec["output"]["threshold"]).astype(np.uint8) * 255
    return output.argmax(axis=-1).astype(np.uint8)


def label_to_show(model: Model, output: Any) -> str:
    """The likeliest label, or "unknown" if its probability is too low for a picture of any label."""
    unknown = model.spec["output"].get("unknown")
    if unknown and output.max() < unknown["threshold"]:
        return UNKNOWN
    return str(model.labels[int(output.argmax())])


def describe(model: Model, path: Path) -> str:
    output = model.predict(path)
    if output.ndim == 3:
        mask, target = mask_of(model, output), Path(f"{path.stem}_mask.png")
        Image.fromarray(mask).save(target)
        if "threshold" in model.spec["output"]:
            return f"{path}: {100 * (mask > 0).mean():.1f} % foreground, see {target}"
        shares = [f"{label} {100 * (mask == number).mean():.1f} %" for number, label in enumerate(model.labels)]
        return f"{path}: {', '.join(shares)}; {target} has the number of each pixel's class"
    likeliest = ", ".join(f"{model.labels[index]} {100 * output[index]:.1f} %" for index in np.argsort(-output)[:3])
    label = label_to_show(model, output)
    return f"{path}: {likeliest}" if label != UNKNOWN else f"{path}: {label}; the likeliest would be {likeliest}"


def complaints(model: Model, root: Path = ROOT) -> list[str]:
    """The differences from when the model was made; empty if there are none."""
    found = []
    if model.labels != model.spec["output"]["labels"]:
        found.append("labels.txt does not have the labels of input_spec.json, or not in their order")
    for sample in json.loads((root / "samples" / "expected.json").read_text("utf-8")):
        output = model.predict(root / sample["picture"])
        if "mask" in sample:
            wrong = float((mask_of(model, output) != np.asarray(Image.open(root / sample["mask"]))).mean())
            difference = float(np.abs(output.mean(axis=(0, 1)) - np.array(sample["meanProbability"])).max())
            right = wrong <= PIXEL_TOLERANCE and difference <= TOLERANCE
            said = f"{100 * wrong:.1f} % of the mask's pixels differ, the mean probability by {difference:.4f}"
        else:
            expected = np.array(sample["probabilities"])
            difference = float(np.abs(output - expected).max())
            label = label_to_show(model, expected)
            right = difference <= TOLERANCE and label == sample["label"]
            said = f"{label} where {sample['label']} is expected, probabilities differ by {difference:.4f}"
        if not right:
            found.append(f"{sample['picture']}: {said}")
    return found


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    model = Model()
    if arguments != ["--check"]:
        print("\n".join(describe(model, Path(path)) for path in arguments))
        return 0
    found = complaints(model)
    print("\n".join(found) or "All samples give the expected answers.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
