"""Real trainings of folders as people have them, where names alone don't show whether the result is right."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol.options import ClassificationOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.checking.folder import check_folder
from trainer_worker.classification.train import train
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.training.registry import load_kind

OPTIONS = ClassificationOptions(image_size=96, exports=("tflite",), epochs=2)
SIZE = (128, 96)


def scene(seed: int) -> Image.Image:
    """A picture that is unlike that of any other seed."""
    cells = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(SIZE, Image.Resampling.BICUBIC)


def drawn(kind: int, seed: int) -> Image.Image:
    """A picture of a class that is easily learned."""
    image = scene(seed)
    image.paste(((200, 60, 40), (40, 80, 200), (60, 170, 60))[kind], (30, 20, 90, 70))
    return image


def trained(project: Path, cache_dir: Path, task: str = "t1") -> dict[str, Any]:
    """What metrics.json says."""
    job = Job(hex_id(task), 1, open_project(project), "classification", OPTIONS)
    result = train(Attempt(job, SilentReporter(), cache_dir, 2))
    metrics: dict[str, Any] = json.loads((result.model_path.parent / "metrics.json").read_text())
    return metrics


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_random_labels_score_at_chance_although_each_picture_lies_there_four_times(
    tmp_path: Path, cache_dir: Path
) -> None:
    different = 40
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        for number in range(different):
            image = scene(1000 * len(kind) + ord(kind[0]) * 100 + number)
            for copy in range(4):
                image.save(tmp_path / kind / f"{number:03}_{copy}.jpg", quality=90 - 5 * copy)
    metrics = trained(tmp_path, cache_dir)
    # Of so many held-out pictures only a fifth are different ones.
    spread = math.sqrt(0.25 / (2 * different / 5))
    assert abs(metrics["final"]["accuracy"] - 0.5) < 3 * spread
    codes = {finding["code"]: finding for finding in metrics["data_report"]["findings"]}
    assert codes["duplicates_near"]["severity"] == "warning"
    assert codes["duplicates_near"]["count"] == 2 * different * 3
    held_out = {entry["file"].rpartition("_")[0] for entry in metrics["held_out"]}
    assert len(held_out) * 4 == len(metrics["held_out"])  # all copies of a picture score, or none


def test_a_class_called_models_is_one_in_each_training(tmp_path: Path, cache_dir: Path) -> None:
    for kind, name in enumerate(("cars", "models", "trucks")):
        (tmp_path / name).mkdir()
        for number in range(8):
            drawn(kind, 100 * kind + number).save(tmp_path / name / f"{number}.jpg")
    for task in ("t1", "t2"):
        metrics = trained(tmp_path, cache_dir, task)
        assert metrics["images_per_class"] == {"cars": 8, "models": 8, "trucks": 8}
    assert len(list((tmp_path / "models").glob("*.jpg"))) == 8


def test_links_within_the_project_train_like_files(tmp_path: Path, cache_dir: Path) -> None:
    for kind, name in enumerate(("cat", "dog")):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "pool" / name).mkdir(parents=True)
        for number in range(8):
            drawn(kind, 100 * kind + number).save(tmp_path / "pool" / name / f"{number}.jpg")
            (tmp_path / "images" / name / f"{number}.jpg").symlink_to(f"../../pool/{name}/{number}.jpg")
        drawn(kind, 100 * kind + 50).save(tmp_path / "images" / name / "own.jpg")
    assert trained(tmp_path, cache_dir)["images_per_class"] == {"cat": 9, "dog": 9}


def test_odd_files_are_used_or_named_and_the_check_agrees_with_the_training(tmp_path: Path, cache_dir: Path) -> None:
    for kind, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for number in range(8):
            drawn(kind, 100 * kind + number).save(tmp_path / name / f"{number}.jpg")
    cat = tmp_path / "cat"
    drawn(0, 20).convert("CMYK").save(cat / "cmyk.jpg")
    Image.fromarray(np.asarray(drawn(0, 21).convert("L")).astype(np.uint16) * 256).save(cat / "grey16.tiff")
    drawn(0, 22).save(cat / "film.gif", save_all=True, append_images=[drawn(0, 23)])
    drawn(0, 24).save(cat / "film.webp", save_all=True, append_images=[drawn(0, 25)])
    drawn(0, 26).save(cat / "photo.avif")
    drawn(0, 27).save(cat / "noext", "JPEG")
    drawn(0, 28).save(cat / "really.png", "JPEG")
    drawn(0, 29).save(cat / "two.mpo", save_all=True, append_images=[drawn(0, 30)])
    (cat / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (cat / "page.jpg").write_bytes(b"<!DOCTYPE html><html>404</html>")
    (cat / "empty.jpg").write_bytes(b"")
    (cat / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    report = check_folder(load_kind("classification"), ProjectFolder.open(tmp_path), math.inf)
    metrics = trained(tmp_path, cache_dir)
    assert metrics["images_per_class"] == report.counts == {"cat": 16, "dog": 8}
    reasons = {skip["file"]: skip["reason"] for skip in metrics["skipped"]}
    assert reasons.keys() == {"cat/phone.heic", "cat/page.jpg", "cat/empty.jpg", "cat/drawing.svg"}
    assert "HEIC" in reasons["cat/phone.heic"]
    assert "web page" in reasons["cat/page.jpg"]
    assert "SVG" in reasons["cat/drawing.svg"]
    assert report.skipped == len(reasons)
