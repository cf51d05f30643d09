"""What report.html says about the answers of a segmenter: masks over their photos, every picture's score, classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer_worker.reporting.axes import axis
from trainer_worker.reporting.blocks import (
    Axis,
    Block,
    Chart,
    Column,
    Line,
    Meter,
    Named,
    Prose,
    Section,
    Strips,
    Table,
)
from trainer_worker.reporting.confusions import confusions
from trainer_worker.reporting.figures import count, counted, finite, percent, percent_range
from trainer_worker.reporting.material import Baseline, Material, ReportParts
from trainer_worker.reporting.overlays import EXTRA, MISSED, UNLABELLED, Overlay, colour_of, css
from trainer_worker.segmentation.headline import DICE, DICE_OF_SOME, DICE_OF_SQUARES

#: So many of the worst pictures stand in the table below the chart.
MOST_LISTED = 20
MOST_CLASSES = 30


def _foreground_baseline(metrics: Mapping[str, Any]) -> Baseline | None:
    return _baseline(metrics, "marking everything as foreground")


def _class_baseline(metrics: Mapping[str, Any]) -> Baseline | None:
    return _baseline(metrics, "marking everything as the most common class")


def _baseline(metrics: Mapping[str, Any], described: str) -> Baseline | None:
    score = finite((metrics.get("baseline") or {}).get("all_foreground_dice"))
    return None if score is None else Baseline(score, described)


def _foreground_sections(material: Material) -> list[Section]:
    return [section for section in (_masks(material), _scores(material)) if section is not None]


def _class_sections(material: Material) -> list[Section]:
    metrics = material.metrics
    sections = [_masks(material), _scores(material)]
    if metrics.get("confusion_matrix"):
        sections.append(confusions(metrics["labels"], metrics["confusion_matrix"], "pixels", in_percent=True))
    if metrics.get("per_class"):
        sections.append(_classes(metrics["per_class"]))
    return [section for section in sections if section is not None]


def _masks(material: Material) -> Section | None:
    """Photo, truth, prediction and difference of the worst and of typical held-out pictures."""
    if not material.overlays:
        return None
    labels = material.metrics.get("labels") or []
    shown = material.overlays
    classes = sorted({int(number) for overlay in shown for mask in overlay.masks for number in set(mask.ravel())})
    named = [(css(colour_of(number)), labels[number]) for number in classes if 0 < number < len(labels)]
    legend = (*named, (css(MISSED), "difference: missed"), (css(EXTRA), "difference: marked by mistake"))
    strips = tuple((overlay.file, f"Overlap {percent(overlay.score)}", _views(material, overlay)) for overlay in shown)
    text = (
        "Held-out pictures, which the model had never seen: the worst first, then some in the middle of all. Where the "
        "truth is wrong, correct the mask: the model can't be better than what it is taught."
    )
    blocks: list[Block] = [Prose(text), Strips(strips, legend)]
    if any((overlay.truth == UNLABELLED).any() for overlay in shown):
        blocks.append(Prose("Pixels without a label are not coloured, and don't count.", "note"))
    return Section("masks", "Masks: truth and prediction", tuple(blocks))


def _views(material: Material, overlay: Overlay) -> tuple[Any, ...]:
    picture = material.book.picture
    return (
        ("photo", picture(overlay.picture)),
        ("truth", picture(overlay.with_truth())),
        ("prediction", picture(overlay.with_prediction())),
        ("difference", picture(overlay.difference())),
    )


def _scores(material: Material) -> Section | None:
    """The score of each held-out picture, from the worst to the best."""
    entries = sorted(material.metrics.get("held_out") or [], key=lambda entry: (entry["dice"], entry["file"]))
    if len(entries) < 2:
        return None
    points = tuple((100 * number / (len(entries) - 1), float(entry["dice"])) for number, entry in enumerate(entries))
    middle = entries[(len(entries) - 1) // 2]["dice"]
    chart = Chart(
        f"Overlap in each of the {count(len(entries))} held-out pictures, the worst on the left. A few low ones are "
        "worth a look: they show what the model hasn't learned.",
        Axis("share of the pictures", 0.0, 100.0, tuple((float(tick), f"{tick} %") for tick in (0, 25, 50, 75, 100))),
        axis("overlap", [value for _, value in points], percent, most=1.0),
        (Line("overlap", points),),
        Table(
            f"The {min(MOST_LISTED, len(entries))} worst of {counted(len(entries), 'picture')}",
            (Column("picture", "name"), Column("overlap")),
            tuple((entry["file"], percent(entry["dice"])) for entry in entries[:MOST_LISTED]),
        ),
    )
    text = (
        "Overlap is Dice: 0 % where the true and the predicted mask have nothing in common, 100 % where "
        f"they are the same. The middle picture has {percent(middle)}, the worst {percent(entries[0]['dice'])}."
    )
    return Section("scores", "Picture by picture", (Prose(text), chart))


def _classes(per_class: Mapping[str, Mapping[str, Any]]) -> Section:
    weakest = sorted(per_class.items(), key=lambda item: (item[1]["pixels"] == 0, item[1]["dice"], item[0]))
    pixels = sum(entry["pixels"] for entry in per_class.values()) or 1
    rows = tuple(
        (Named(name, f"{percent(entry['pixels'] / pixels)} of the pixels{_verdict(entry)}"), _meter(entry))
        for name, entry in weakest[:MOST_CLASSES]
    )
    blocks: list[Block] = [
        Table(
            "Overlap (Dice) over the pixels of all held-out pictures. The thin line is the range for new ones (95 %).",
            (Column("class", "name"), Column("overlap", "meter")),
            rows,
        )
    ]
    if len(per_class) > MOST_CLASSES:
        left_out = counted(len(per_class) - MOST_CLASSES, "stronger class", "stronger classes")
        blocks.append(Prose(f"{left_out} are left out here; metrics.json has all of them.", "note"))
    return Section("classes", "Class by class, the weakest first", tuple(blocks))


def _verdict(entry: Mapping[str, Any]) -> str:
    return f", {entry['verdict']}" if entry.get("verdict") else ""


def _meter(entry: Mapping[str, Any]) -> Meter:
    if not entry["pixels"]:
        return Meter("not tested")
    low, high = finite(entry.get("dice_low")), finite(entry.get("dice_high"))
    if low is None or high is None:
        return Meter(percent(entry["dice"]), finite(entry["dice"]))
    return Meter(percent(entry["dice"]), finite(entry["dice"]), low, high, percent_range(low, high))


_SCORE_TITLES = {
    DICE: "mean overlap",
    DICE_OF_SQUARES: "mean overlap in squares of photos",
    DICE_OF_SOME: "mean overlap in some photos",
}
FOREGROUND = ReportParts(True, _foreground_baseline, _foreground_sections, "pixels", _SCORE_TITLES)
CLASSES = ReportParts(True, _class_baseline, _class_sections, "pixels", _SCORE_TITLES)
