"""What the builder of an app does with app_pack.zip: unpack it and run its own check, on it as it is and damaged."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.waiting import TIMEOUT_S


def unpack(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(folder / "app_pack.zip") as archive:
        archive.extractall(target)
    return target


def run_predict(pack: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of python/predict.py, in a process that finds nothing of TFModel."""
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, str(pack / "python" / "predict.py"), *arguments],
        cwd=pack,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout or done.stderr


def complaints(pack: Path) -> list[str]:
    """What `predict.py --check` has to say, without the seconds that a new process takes."""
    script = runpy.run_path(str(pack / "python" / "predict.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow's interpreter announces its move to ai-edge-litert
        found: list[str] = script["complaints"](script["Model"](pack), pack)
    return found


def damage_sample(pack: Path) -> None:
    """Upside down and inverted: still a picture."""
    path = pack / "samples" / "1.png"
    Image.fromarray(255 - np.asarray(Image.open(path))[::-1]).save(path)


def swap_labels(pack: Path) -> None:
    labels = (pack / "labels.txt").read_text("utf-8").splitlines()
    (pack / "labels.txt").write_text("\n".join([*labels[1:], labels[0]]) + "\n", "utf-8")
