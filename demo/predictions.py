"""Run the exported TFLite file on held-out pictures: `python -m demo.predictions PROJECT_DIR MODEL_DIR`.

This runs as a process of its own and uses only what an app would use: tf.lite.Interpreter, the file and its labels.
It prints a JSON list with one entry for each picture:
    classification   {"file", "truth", "predicted", "probability"}
    segmentation     {"file", "dice"}; also writes PROJECT_DIR/PREVIEW, the pictures next to both masks
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from demo.recipes import PREVIEW
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.mask_rule import BLACK_AND_WHITE
from trainer_worker.segmentation.masks import read_mask
from trainer_worker.segmentation.scores import score_masks

PICTURES = 5
GAP_PX, TITLE_PX = 6, 18


class TfliteModel:
    def __init__(self, file: Path) -> None:
        self._interpreter = tf.lite.Interpreter(str(file))
        self._interpreter.allocate_tensors()
        self._input, self._output = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]

    @property
    def side_px(self) -> int:
        return int(self._input["shape"][1])

    def run(self, picture: Any) -> Any:
        """Run the model on one picture, uint8 (S, S, 3) RGB. The model takes 0 to 255 and scales by itself."""
        self._interpreter.set_tensor(self._input["index"], picture[None].astype(np.float32))
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output["index"])[0]


def spread(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose PICTURES of them at even distances. The first ones would all show one class."""
    return [rows[int(at)] for at in np.linspace(0, len(rows) - 1, min(PICTURES, len(rows)))]


def classify(model: TfliteModel, project: Path, labels: list[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    reader = PictureReader(UserFiles.at(project))
    for row in rows:
        probabilities = model.run(read_rgb(reader, project / row["file"], (model.side_px, model.side_px)))
        best = int(probabilities.argmax())
        found.append(
            {
                "file": row["file"],
                "truth": row["truth"],
                "predicted": labels[best],
                "probability": float(probabilities[best]),
            }
        )
    return found


def segment(model: TfliteModel, project: Path, threshold: float, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    size = (model.side_px, model.side_px)
    found, strips = [], []
    reader = PictureReader(UserFiles.at(project))
    for row in rows:
        file = project / row["file"]
        picture = read_rgb(reader, file, size)
        truth = read_mask(reader, project / "masks" / f"{file.stem}_mask.png", size, BLACK_AND_WHITE)
        predicted = model.run(picture)[..., 0] > threshold
        found.append({"file": row["file"], "dice": score_masks(truth[None], predicted[None]).dice})
        strips.append((picture, _black_and_white(truth), _black_and_white(predicted)))
    _draw(strips).save(project / PREVIEW)
    return found


def _black_and_white(mask: Any) -> Any:
    return np.repeat((np.asarray(mask) != 0)[..., None], 3, axis=2).astype(np.uint8) * 255


def _draw(strips: list[tuple[Any, ...]]) -> Image.Image:
    """Draw one row for each picture: the picture, its true mask and the model's mask."""
    side = strips[0][0].shape[0]
    step = side + GAP_PX
    sheet = Image.new("RGB", (3 * step + GAP_PX, len(strips) * step + GAP_PX + TITLE_PX), "dimgray")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(("picture", "truth", "prediction")):
        draw.text((GAP_PX + column * step, GAP_PX), title, fill="white")
    for row, strip in enumerate(strips):
        for column, pixels in enumerate(strip):
            sheet.paste(Image.fromarray(pixels), (GAP_PX + column * step, GAP_PX + TITLE_PX + row * step))
    return sheet


def main() -> None:
    project, folder = Path(sys.argv[1]), Path(sys.argv[2])
    manifest = json.loads((folder / "manifest.json").read_text())
    rows = spread(json.loads((folder / "metrics.json").read_text())["held_out"])
    model = TfliteModel(folder / "model.tflite")
    if manifest["train_type"] == "segmentation":
        found = segment(model, project, manifest["threshold"], rows)
    else:
        found = classify(model, project, manifest["labels"], rows)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
