"""LiteRT in a loop, as the baseline for predictions: python -m benchmarks.bare_runtime MODEL PICTURE SECONDS decode|run

Loads the model, prints "ready", waits for a line on its input, and runs the model on the picture for so many seconds on
one thread. "decode" also reads the picture anew each time, as every call must; "run" reads it once. Prints the pictures
a second, and the seconds of processor time that each took.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from trainer_worker.exporting.model_use import use_of
from trainer_worker.exporting.runtimes.tflite_models import load_content
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.user_files import UserFiles


def main() -> None:
    content, picture, seconds, decodes = (
        Path(sys.argv[1]).read_bytes(),
        Path(sys.argv[2]),
        float(sys.argv[3]),
        sys.argv[4] == "decode",
    )
    side, run = use_of(content).side_px, load_content(content, threads=1)
    reader = PictureReader(UserFiles.at(picture.parent))

    def read() -> np.ndarray:
        return read_rgb(reader, picture, (side, side))[np.newaxis].astype(np.float32)

    pixels = read()
    run(pixels)
    print("ready", flush=True)
    sys.stdin.readline()
    began_s, used_s, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began_s < seconds:
        run(read() if decodes else pixels)
        done += 1
    print(done / (time.perf_counter() - began_s), (time.process_time() - used_s) / done)


if __name__ == "__main__":
    main()
