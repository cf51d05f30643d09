"""How long the check of a folder takes over HTTP, from POST /v1/check to its answer.

    python -m benchmarks.folders                         5,000 and 50,000 files, and 2,000 classes
    python -m benchmarks.folders --rounds 3 --folder DIR

Target: a folder of 5,000 files is answered within 1 s (median). Headers are read only in what is left of that time,
so the table says how many of them were. The pictures are small JPEGs with noise, drawn for each run.
"""

from __future__ import annotations

import argparse
import io
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from PIL import Image

from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses

TARGET_S, TARGET_FILES = 1.0, 5_000
READY_TIMEOUT_S = 90.0
SIDE_PX = 64
#: Pictures that differ; their files are written again and again under other names.
DIFFERENT = 50


@dataclass(frozen=True)
class Drawn:
    """A folder to draw: so many classes of so many pictures each. with_masks: in one folder, each with a mask."""

    classes: int
    each: int
    with_masks: bool = False

    @property
    def files(self) -> int:
        return self.classes * self.each * (2 if self.with_masks else 1)


FOLDERS = (Drawn(10, 500), Drawn(1, 2_500, with_masks=True), Drawn(2_000, 5), Drawn(50, 1_000))


def pictures() -> list[bytes]:
    """JPEG files of noise."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(DIFFERENT):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)).save(file, "JPEG")
        found.append(file.getvalue())
    return found


def mask() -> bytes:
    file = io.BytesIO()
    image = Image.new("L", (SIDE_PX, SIDE_PX))
    image.paste(255, (8, 8, SIDE_PX // 2, SIDE_PX // 2))
    image.save(file, "PNG")
    return file.getvalue()


def contents(drawn: Drawn) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file."""
    jpegs, of_mask = pictures(), mask()
    for label in range(drawn.classes):
        for number in range(drawn.each):
            jpeg = jpegs[number % DIFFERENT]
            if drawn.with_masks:
                yield f"images/photo_{number:05}.jpg", jpeg
                yield f"masks/photo_{number:05}.png", of_mask
            else:
                yield f"images/class_{label:04}/photo_{number:05}.jpg", jpeg


def draw(project: Path, drawn: Drawn) -> None:
    for path, content in contents(drawn):
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def check(service: ServiceProcesses, project: Path, train_type: str) -> tuple[float, dict[str, Any]]:
    """Seconds until the answer, and the report."""
    fields = {"userId": "u", "projectId": "p", "projectDir": str(project), "trainType": train_type}
    began_s = time.perf_counter()
    status, report = service.call("POST", "/v1/check", urlencode(fields))
    took_s = time.perf_counter() - began_s
    if status != 200 or not report["trainable"]:
        raise RuntimeError(f"The check was answered with {status}: {report}")
    return took_s, report


def headers_read(report: dict[str, Any]) -> str:
    """Such as "2,000 of 5,000"."""
    sentences = [found["sentence"] for found in report["findings"] if found["code"] == "headers_not_all_read"]
    numbers = re.search(r"[\d,]+ of [\d,]+", sentences[0]) if sentences else None
    return numbers.group() if numbers else "all"


def time_part(folder: Path, rounds: int) -> None:
    """Print a row for each folder. The first check of a folder, which may wait for the disk, is not counted."""
    service = ServiceProcesses(folder)
    with service.program("broker", "-m", "broker"), service.program("web", "server.py", "run"):
        service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
        print(f"\n{'files':>8}{'classes':>9}{'masks':>7}{'median s':>10}{'slowest s':>11}   headers read")
        for number, drawn in enumerate(FOLDERS):
            project = service.projects / f"project-{number}"
            draw(project, drawn)
            train_type = "segmentation" if drawn.with_masks else "classification"
            check(service, project, train_type)
            took_s, reports = zip(*(check(service, project, train_type) for _ in range(rounds)), strict=True)
            middle_s = statistics.median(took_s)
            verdict = ""
            if drawn.files <= TARGET_FILES:
                verdict = f"   target {TARGET_S:g} s: {'met' if middle_s <= TARGET_S else 'missed'}"
            masks = "yes" if drawn.with_masks else "no"
            print(
                f"{drawn.files:>8,}{drawn.classes:>9,}{masks:>7}{middle_s:>10.2f}{max(took_s):>11.2f}"
                f"   {headers_read(reports[-1])}{verdict}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="checks of each folder")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the pictures go")
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        time_part(Path(folder), arguments.rounds)
    # Part 2, planted faults, belongs here: SETs as further arguments, one row for each fault and set.


if __name__ == "__main__":
    main()
