"""Plants faults in copies of clean sets, and counts what a training's report finds and what it accuses wrongly."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.linked_folders import copy_class_folders
from protocol.data_report import DataReport
from protocol.options import ClassificationOptions
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification.cached_features import CachedFeatures
from trainer_worker.classification.dataset import Dataset, read_dataset
from trainer_worker.classification.features import FeatureExtractor
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.classification.splitting import split_dataset
from trainer_worker.pictures.copies import find_copies
from trainer_worker.project.folder import ProjectFolder

#: Planted of each kind. A finding names ten files at most.
PLANTED = 6
PER_CLASS = 60
FRAMES = 7
SAVED_AGAIN_QUALITY = 45
THREADS = 2


@dataclass(frozen=True)
class Fault:
    """codes: of the findings that may tell of it. plant: changes a project; returns the files that may be named.

    Of a picture and its copy, a report names the one whose path comes later.
    """

    codes: tuple[str, ...]
    plant: Callable[[Path, list[Path]], list[set[Path]]]


def copied(project: Path, pictures: list[Path]) -> list[set[Path]]:
    return [{path, Path(shutil.copy(path, path.with_stem(f"{path.stem} (copy)")))} for path in pictures]


def saved_again(project: Path, pictures: list[Path]) -> list[set[Path]]:
    planted = []
    for path in pictures:
        target = path.with_name(f"{path.stem} from chat.jpg")
        Image.open(path).convert("RGB").save(target, quality=SAVED_AGAIN_QUALITY)
        planted.append({path, target})
    return planted


def in_another_class(project: Path, pictures: list[Path]) -> list[set[Path]]:
    folders = sorted((project / "images").iterdir())
    planted = []
    for path in pictures[:3]:  # both places of each are named
        other = folders[(folders.index(path.parent) + 1) % len(folders)]
        planted.append({Path(shutil.copy(path, other / f"taken over {path.name}"))})
    return planted


def cut_off(project: Path, pictures: list[Path]) -> list[set[Path]]:
    for path in pictures:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 3])
    return [{path} for path in pictures]


def film_frames(project: Path, pictures: list[Path]) -> list[set[Path]]:
    """A camera that moves by one per cent from frame to frame."""
    image = Image.open(pictures[0]).convert("RGB")
    width, height = image.size
    step = max(1, width // 100)
    planted = []
    for number in range(FRAMES):
        target = pictures[0].parent / f"film_{number:03}.jpg"
        image.crop((number * step, 0, width - (FRAMES - number) * step, height)).save(target, quality=90)
        planted.append({target})
    return planted[1:]  # the first one stands for the series


FAULTS = (
    Fault(("duplicates_exact",), copied),
    Fault(("duplicates_near",), saved_again),
    Fault(("same_picture_in_classes",), in_another_class),
    Fault(("unreadable_pictures",), cut_off),
    Fault(("series", "duplicates_near"), film_frames),
)


def faults_part(sources: list[Path], folder: Path) -> None:
    """Print a row for each set and fault, and what the search for copies costs."""
    extractor = FeatureExtractor(LITE0, 224, THREADS, folder / "cache")
    print(f"\n{'set':<14}{'fault':<26}{'planted':>8}{'found':>7}   accused in the clean set")
    for source in sources:
        clean = folder / f"{source.name}-clean"
        copy_class_folders(source, clean, PER_CLASS)
        data, seconds = read(clean, extractor)
        clean_report = report_of(data)
        cost = search_s(data) / seconds
        for fault in FAULTS:
            project = folder / f"{source.name}-{fault.plant.__name__}"
            shutil.copytree(clean / "images", project / "images")
            pictures = sorted((project / "images").rglob("*.*"))
            chosen = [pictures[row] for row in np.linspace(0, len(pictures) - 1, PLANTED).astype(int)]
            planted = [
                {path.relative_to(project).as_posix() for path in paths} for paths in fault.plant(project, chosen)
            ]
            names = named(report_of(read(project, extractor)[0]), fault.codes)
            found = sum(bool(paths & names) for paths in planted)
            alarms = ", ".join(sorted(named(clean_report, fault.codes))) or "none"
            print(f"{source.name:<14}{fault.codes[0]:<26}{len(planted):>8}{found:>7}   {alarms}", flush=True)
        print(f"{source.name:<14}search for copies: {cost:.1%} of reading the pictures (target 3 % of a training)")


def read(project: Path, extractor: FeatureExtractor) -> tuple[Dataset, float]:
    """The pictures as a training reads them, and the seconds that it took."""
    with ProjectFolder.open(project) as opened:
        folders = scan_class_folders(opened.files)
        began_s = time.perf_counter()
        return read_dataset(
            folders, CachedFeatures(extractor, opened), lambda done: None
        ), time.perf_counter() - began_s


def report_of(data: Dataset) -> DataReport:
    return split_dataset(data, ClassificationOptions())[1]


def search_s(data: Dataset) -> float:
    names = [data.folders.name_of(row) for row in range(len(data.contents))]
    began_s = time.perf_counter()
    find_copies(names, data.contents, data.thumbnails)
    return time.perf_counter() - began_s


def named(report: DataReport, codes: tuple[str, ...]) -> set[str]:
    """The files that findings with these codes name."""
    return {file for finding in report.findings if finding.code in codes for file in finding.files}
