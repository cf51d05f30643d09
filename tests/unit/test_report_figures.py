"""Figures of report.html, computed once more by plain arithmetic. report_arithmetic.py does so after a training."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocol.data_report import DataReport
from protocol.sizes import GB, MB
from tests.report_material import classifier, draw_pictures, material, shared_metrics
from tests.report_reading import ReportReader
from trainer_worker.reporting import figures
from trainer_worker.reporting.report import render_report
from trainer_worker.segmentation.report import CLASSES
from trainer_worker.segmentation.scores import MaskTally


def in_percent(number: float) -> int:
    """A whole number of percent, read as a person reads "87 %"."""
    return round(100 * number)


def said_percent(text: str) -> int:
    number, unit = text.split()[:2]
    assert unit.startswith("%"), text
    return int(number)


def masks_material(folder: Path) -> tuple[Any, Any, list[str]]:
    """Drawn masks and guesses, and the report that the product makes of them."""
    rng = np.random.default_rng(11)
    names = ["background", "cell", "dirt"]
    truth = rng.integers(0, 3, (9, 12, 15)).astype(np.uint8)
    found = np.where(rng.random(truth.shape) < np.linspace(0.4, 0.95, 9)[:, None, None], truth, 0).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.05] = 255
    tally = MaskTally(names)
    for true, said in zip(truth, found, strict=True):
        tally.add(true, said)
    scores = tally.scores()
    files = draw_pictures(folder, 9)
    metrics = shared_metrics(names) | {
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "held_out": [{"file": f, "dice": dice} for f, dice in zip(files, scores.dice_per_image, strict=True)],
    }
    page = ReportReader(render_report(material(folder, "segmentation", metrics, DataReport()), CLASSES))
    return page, (truth, found), files


def dice_by_hand(truth: Any, found: Any) -> float:
    """The mean of the classes in the picture, pixel by pixel."""
    pixels = [(t, f) for t, f in zip(truth.ravel().tolist(), found.ravel().tolist(), strict=True) if t != 255]
    each: list[float] = []
    for number in (1, 2):
        both = sum(t == number and f == number for t, f in pixels)
        either = sum(t == number for t, _ in pixels) + sum(f == number for _, f in pixels)
        if any(t == number for t, _ in pixels):
            each.append(2 * both / either)
    return sum(each) / len(each)


def test_the_overlap_of_each_picture_is_that_of_its_pixels(tmp_path: Path) -> None:
    page, (truth, found), files = masks_material(tmp_path)

    by_hand = {file: in_percent(dice_by_hand(truth[n], found[n])) for n, file in enumerate(files)}
    shown = {row[0]: said_percent(row[1]) for row in page.table("scores", "The 9 worst")}
    assert shown == by_hand
    assert list(shown.values()) == sorted(by_hand.values())
    text = page.sections["scores"].texts[0]
    assert f"The middle picture has {sorted(by_hand.values())[4]} %, the worst {min(by_hand.values())} %." in text


def test_the_overlap_of_each_class_is_that_of_all_its_pixels(tmp_path: Path) -> None:
    page, (truth, found), _ = masks_material(tmp_path)

    labelled = truth != 255
    for row, meter in page.table("classes", "Overlap"):
        name, share = row.split(" ", 1)
        number = ["background", "cell", "dirt"].index(name)
        of_class, said = (truth == number) & labelled, (found == number) & labelled
        assert said_percent(meter) == in_percent(2 * (of_class & said).sum() / (of_class.sum() + said.sum()))
        assert share == f"{in_percent(of_class.sum() / labelled.sum())} % of the pixels"


def test_the_matrix_of_pixels_is_in_percent_of_its_rows(tmp_path: Path) -> None:
    page, (truth, found), _ = masks_material(tmp_path)

    (matrix,) = page.sections["confusions"].tables.values()
    for number, row in enumerate(matrix[1:]):
        of_class = truth == number
        cells = [figures.percent(Fraction(int((found[of_class] == j).sum()), int(of_class.sum()))) for j in range(3)]
        assert row[1:4] == cells
        assert row[4] == f"{of_class.sum():,}"


def test_sizes_times_and_scores_of_files_are_those_of_the_checks(tmp_path: Path) -> None:
    page, _, _ = masks_material(tmp_path)

    assert page.table("files", "Exported")[0] == ["model.tflite 12.3 MB", "3.1 ms", "91 %", "100 %"]
    assert "onnx was not written: tf2onnx is not installed" in page.sections["files"].texts
    assert ("Time", "1 min 6 s: features 4.2 s, train 1 min 2 s") in page.sections["making"].pairs


def test_curves_show_what_their_tables_say(tmp_path: Path) -> None:
    from trainer_worker.classification.report import PARTS

    html = render_report(classifier(tmp_path, ["daisy", "rose", "tulip"]), PARTS)
    page = ReportReader(html)

    table = page.table("learning", "Learning curve")
    assert table[2] == ["100 %", "40", "86 %", "82 to 92 %"]
    assert page.table("training", "Accuracy by epoch")[1] == ["2", "80 %"]
    table = page.table("calibration", "Answers as exported")
    assert table[1] == ["55 to 65 %", "60 %", "61 %", "10"]
    lines = [attributes["points"] for tag, attributes in page.elements if tag == "polyline"]
    # The reliability diagram spans 0 to 1 both ways, so its points are its figures; SVG counts from the top.
    assert "20.00,81.00 60.00,39.00 90.00,7.00" in lines
    assert "20.00,89.00 60.00,52.00 95.00,20.00" in lines


@pytest.mark.parametrize(
    ("share", "of", "text"),
    [
        *((0.914, 20, "91 %"), (0.914, 5000, "91.4 %"), (1.0, 5, "100 %"), (0.0, 5, "0 %")),
        *((0.9996, 5000, "> 99.9 %"), (0.996, 500, "> 99 %"), (0.002, 500, "< 1 %"), (None, 5, "–")),
        *((float("nan"), 5, "–"), (0.0004, 5000, "< 0.1 %")),
    ],
)
def test_shares_are_written_for_people(share: float, of: int, text: str) -> None:
    assert figures.percent(share, of) == text


def test_ranges_are_rounded_outwards() -> None:
    assert figures.percent_range(0.8749, 0.9401) == "87 to 95 %"
    assert figures.percent_range(0.29, 0.57) == "29 to 57 %"  # which floating point makes 28.999… and 56.999…
    assert figures.percent_range(0.5, None) == ""


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(12.9 * MB, "12.9 MB"), (999, "999 bytes"), (1024, "1 kB"), (345.6 * MB, "346 MB"), (2.5 * GB, "2.5 GB")],
)
def test_sizes_are_written_for_people(size_bytes: int, text: str) -> None:
    assert figures.size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.0004, "0.4 ms"), (0.0031, "3.1 ms"), (0.046, "46 ms"), (4.25, "4.2 s"), (35.2, "35 s"), (60, "1 min")),
        *((125, "2 min 5 s"), (4800, "1 h 20 min"), (None, "–")),
    ],
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text
