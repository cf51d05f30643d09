"""Runs the model on pictures, prepared as in its training.

How to use it:
    pip install numpy pillow ai-edge-litert     (or tensorflow instead of ai-edge-litert)
    python predict.py photo.jpg ...             print the model's answer for each photo
    python predict.py --check                   check that the samples give the same answers as when the model was made
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 0.002  # of a probability: runtimes and processors round differently
PIXEL_TOLERANCE = 0.002  # a share of a mask's pixels
UNKNOWN = "unknown"  # what a classifier says of a picture that probably shows none of its labels


class Model:
    """model.tflite, with its description in input_spec.json and its labels in labels.txt."""

    def __init__(self, root: Path = ROOT) -> None:
        self.spec = json.loads((root / "input_spec.json").read_text("utf-8"))
        self.labels = (root / "labels.txt").read_text("utf-8").splitlines()
        self.side = self.spec["input"]["shape"][1]
        self._interpreter = load_interpreter((root / self.spec["model"]).read_bytes())

    def read(self, path: Path) -> Any:
        """A photo as float32 (1, side, side, 3), RGB 0 to 255: upright, on white where transparent, and squashed."""
        with Image.open(path) as image:
            photo = self._of_8_bits(ImageOps.exif_transpose(image)).convert("RGBA")
        page = Image.new("RGB", photo.size, "white")
        page.paste(photo, mask=photo.getchannel("A"))
        page = page.resize((self.side, self.side), Image.Resampling.BILINEAR)
        return np.asarray(page, np.float32)[np.newaxis]

    def _of_8_bits(self, photo: Image.Image) -> Image.Image:
        """Grey of more than 8 bits, scaled as the pictures of the training were."""
        if photo.mode[0] not in "IF":
            return photo
        white = self.spec["picture"]["grey_white"].get("white_of_floats" if photo.mode == "F" else "white", 65535)
        grey = np.rint(np.asarray(photo, np.float64) * (255 / white))
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))

    def predict(self, path: Path) -> Any:
        """Numbers from 0 to 1, one for each label: (labels,). Of a segmenter the same for each pixel, or one number for
        foreground: (side, side, classes or 1)."""
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], self.read(path))
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
    """A segmenter's mask, uint8 (side, side): 255 for foreground, or the number of each pixel's class."""
    if "threshold" in model.spec["output"]:
        return (output[..., 0] > model.spec["output"]["threshold"]).astype(np.uint8) * 255
    return output.argmax(axis=-1).astype(np.uint8)


def label_to_show(model: Model, output: Any) -> str:
    """A classifier's likeliest label, or "unknown" if its probability is too low for a picture of any label."""
    if output.max() < model.spec["output"]["unknown"]["threshold"]:
        return UNKNOWN
    return str(model.labels[int(output.argmax())])


def describe(model: Model, path: Path) -> str:
    output = model.predict(path)
    if output.ndim == 3:
        mask, target = mask_of(model, output), Path(f"{path.stem}_mask.png")
        Image.fromarray(mask).save(target)
        if "threshold" in model.spec["output"]:
            return f"{path}: {(mask > 0).mean():.1%} foreground, see {target}"
        shares = [f"{label} {(mask == number).mean():.1%}" for number, label in enumerate(model.labels)]
        return f"{path}: {', '.join(shares)}; {target} has the number of each pixel's class"
    likeliest = ", ".join(f"{model.labels[index]} {output[index]:.1%}" for index in np.argsort(-output)[:3])
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
            said = f"{wrong:.1%} of the mask's pixels differ, the mean probability by {difference:.4f}"
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
