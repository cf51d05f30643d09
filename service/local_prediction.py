"""`python -m service.local_prediction MODEL PICTURE ...`: the answers of a .tflite file, as one JSON document.

`predict` runs it as a process of its own: a file that is no sound model can end a process in which it is loaded.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec

from protocol.prediction import MOST_PICTURE_BYTES
from protocol.sizes import MB
from trainer_worker.exporting.model_use import UnusableModelError, use_of
from trainer_worker.exporting.runtimes.tflite_models import load_content
from trainer_worker.prediction.answering import answer
from trainer_worker.prediction.limits import limit_resources
from trainer_worker.prediction.models import LoadedModel
from trainer_worker.prediction.one_picture import OnePicture
from web.api.predictions import Prediction, prediction_of

#: A model may take this many times the bytes of its file.
MEMORY_OF_FILE = 20


def predictions(model: Path, pictures: list[Path]) -> list[Prediction]:
    """The answers, one for each picture. Raises UnusableModelError, ValueError, RuntimeError or OSError."""
    content = model.read_bytes()
    limit_resources(MEMORY_OF_FILE * len(content))
    loaded = LoadedModel(use_of(content), load_content(content, os.cpu_count() or 1), len(content))
    found = []
    for path in pictures:
        if path.stat().st_size > MOST_PICTURE_BYTES:
            error = f"It has more than {MOST_PICTURE_BYTES // MB} MB; send a smaller one."
            found.append(Prediction(name=path.name, error=error, code="bad_picture"))
        else:
            found.append(prediction_of(path.name, answer(loaded, OnePicture.sent(path.read_bytes()), path.name)))
    return found


def main() -> int:
    model, *pictures = map(Path, sys.argv[1:])
    try:
        found = predictions(model, pictures)
    except (UnusableModelError, ValueError, RuntimeError, OSError, MemoryError) as error:
        sys.stderr.write(f"{str(error) or type(error).__name__}\n")
        return 1
    json.dump(msgspec.to_builtins(found), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
