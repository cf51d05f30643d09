"""How much memory reading a picture takes, alone and six at a time, also when the file is hostile.

    python -m benchmarks.decoding [FOLDER ...]

Each file of the folders and each hostile file (bombs.py) is read in a process of its own: as a picture of 224 px, at
its own size for tiles, as a mask, and then six times at once in threads. The output is the peak of the process's memory
above its idle memory. Targets: at most 300 MB for one picture; for six at once at most the budget that all threads
share, plus 60 MB for what the budget does not cover. The exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.bombs import BOMBS
from benchmarks.dataset_folder import dataset_folder
from benchmarks.machine import describe_machine
from trainer_worker.pictures.decoding_budget import DEFAULT_BYTES
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, image_size, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.mask_rule import BLACK_AND_WHITE
from trainer_worker.segmentation.masks import read_mask

SIZE = (224, 224)
AT_ONCE = 6
MOST_OF_ONE_MB = 300
MOST_OF_SIX_MB = DEFAULT_BYTES // 1024**2 + 60
WAYS = ("picture", "own size", "mask")


def read(reader: PictureReader, path: Path, way: str) -> str:
    """Read the file. Returns the reason if it cannot be read, otherwise ""."""
    try:
        if way == "mask":
            read_mask(reader, path, SIZE, BLACK_AND_WHITE)
        else:
            read_rgb(reader, path, SIZE if way == "picture" else image_size(reader, path))
    except UnreadableImageError as error:
        return error.reason
    return ""


def measure(path: Path, way: str, at_once: int) -> dict[str, Any]:
    """Measure in this process. Returns {"mb": peak above idle, "reason": why the file was not read, or ""}."""
    reader = PictureReader(UserFiles.at(path.parent))
    idle_kb = _status_kb("VmRSS")
    with ThreadPoolExecutor(at_once) as pool:
        reasons = list(pool.map(lambda _: read(reader, path, way), range(at_once)))
    return {"mb": (_status_kb("VmHWM") - idle_kb) / 1000, "reason": reasons[0]}


def _status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def in_own_process(path: Path, way: str, at_once: int = 1) -> dict[str, Any]:
    """Measure in a new process; see `measure`."""
    command = [sys.executable, "-m", "benchmarks.decoding", "--one", str(path), "--way", way, "--at-once", str(at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def made(name: str, make: Callable[[Path], None]) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bomb")
        make(path)
        yield name, path


def report(name: str, path: Path) -> bool:
    """Print a line. Returns whether the file stayed below the targets."""
    alone = [in_own_process(path, way) for way in WAYS]
    six = in_own_process(path, "picture", AT_ONCE)
    figures = "".join(f"{found['mb']:10.0f}{'' if not found['reason'] else '*':1}" for found in (*alone, six))
    print(f"{name[:34]:34}{figures}  {alone[0]['reason'] or 'read'}", flush=True)
    return all(found["mb"] <= MOST_OF_ONE_MB for found in alone) and bool(six["mb"] <= MOST_OF_SIX_MB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=dataset_folder, nargs="*")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--at-once", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.way, arguments.at_once)))
        return
    print(f"{describe_machine()}; peak above idle in MB; * was not read; targets {MOST_OF_ONE_MB} and {MOST_OF_SIX_MB}")
    print(f"{'':34}" + "".join(f"{way:>10} " for way in (*WAYS, f"{AT_ONCE} at once")))
    files = [file for folder in arguments.folders for file in sorted(folder.iterdir()) if file.is_file()]
    good = [report(file.name, file) for file in files]
    for name, make in BOMBS.items():
        with made(name, make) as (_, path):
            good.append(report(name, path))
    print(f"{sum(good)} of {len(good)} within the targets")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
