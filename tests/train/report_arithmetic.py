"""Computes the figures of a classifier's report.html once more: from its predictions and files, by plain arithmetic."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from protocol.sizes import KB, MB
from tests.report_reading import ReportReader
from tests.train.written_figures import outwards, percent

Z = 1.959964  # the 97.5 % point of the normal distribution


def check_report(folder: Path, counts: dict[str, int]) -> None:
    """folder: of a model whose pictures have no copies and no series. counts: pictures of each label in the project."""
    page = ReportReader((folder / "report.html").read_text("utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    answers = [*metrics["held_out"], *metrics.get("cross_validated", [])]
    _check_headline(page, answers)
    _check_matrix(page, answers)
    _check_classes(page, answers)
    _check_mistakes(page, answers)
    _check_files(page, folder)
    shown = dict(page.table("pictures", "Photos of each class"))
    assert shown == {label: str(number) for label, number in counts.items()}


def _check_headline(page: ReportReader, answers: list[dict[str, Any]]) -> None:
    right, of = sum(entry["truth"] == entry["predicted"] for entry in answers), len(answers)
    most = max(Counter(entry["truth"] for entry in answers).values())
    head = page.sections[""]
    assert ("Recognised", f"{right} of {of} photos") in head.pairs
    scale = next(attributes["aria-label"] for _, attributes in page.elements if attributes.get("class") == "scale")
    assert scale == (
        f"A scale from 0 to 1: {percent(right / of)} measured; {_likely(right, of)} likely; "
        f"{percent(most / of)} by always naming the largest class"
    )


def _check_matrix(page: ReportReader, answers: list[dict[str, Any]]) -> None:
    pairs = Counter((entry["truth"], entry["predicted"]) for entry in answers)
    (matrix,) = page.sections["confusions"].tables.values()
    labels = matrix[0][1:-1]
    for row in matrix[1:]:
        cells = [str(pairs[row[0], label]) for label in labels]
        assert row[1:] == [*cells, str(sum(entry["truth"] == row[0] for entry in answers))]


def _check_classes(page: ReportReader, answers: list[dict[str, Any]]) -> None:
    for row, found, right_when_named in page.table("classes", "Found"):
        label = row.split()[0]
        right = sum(entry["truth"] == label == entry["predicted"] for entry in answers)
        of_class = sum(entry["truth"] == label for entry in answers)
        named = sum(entry["predicted"] == label for entry in answers)
        assert row.removeprefix(label).startswith((f" {of_class} photos", " 1 photo"))
        assert found == f"{percent(right / of_class)} ({_likely(right, of_class)})"
        if named:
            assert right_when_named == f"{percent(right / named)} ({_likely(right, named)})"
        else:
            assert right_when_named == "never named"


def _check_mistakes(page: ReportReader, answers: list[dict[str, Any]]) -> None:
    wrong = sorted(
        (entry for entry in answers if entry["truth"] != entry["predicted"]), key=lambda entry: -entry["probability"]
    )
    if not wrong:
        assert page.sections["mistakes"].texts[0].startswith(f"None: all {len(answers)} photos")
        return
    tiles, pictures = page.tiles("mistakes"), page.sections["mistakes"].pictures
    assert f"{len(wrong)} of {len(answers)} photos that scored the model" in page.sections["mistakes"].texts[0]
    assert [picture["alt"] for picture in pictures] == [entry["file"] for entry in wrong[: len(tiles)]]
    for tile, entry in zip(tiles, wrong, strict=False):
        assert (tile["is"], tile["taken for"]) == (entry["truth"], entry["predicted"])
        assert tile["sure"] == percent(entry["probability"])


def _check_files(page: ReportReader, folder: Path) -> None:
    for row, *_ in page.table("files", "Exported"):
        name, size = row.split(" ", 1)
        path = folder / name
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        number, unit = size.split()
        assert float(number) * {"kB": KB, "MB": MB}[unit] == pytest.approx(_bytes(files), rel=0.06)


def _bytes(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _likely(right: int, of: int) -> str:
    """Wilson (1927): the shares p from which `right` of `of` lies Z standard deviations away."""
    share = right / of
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return outwards(middle - half, middle + half)
