"""The sections about how the model was made: its pictures, its training, its files, and everything to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from protocol.data_report import Finding, Severity
from protocol.end_reason import EndReason
from trainer_worker.reporting.advice import COPIES, WORTH_DOING
from trainer_worker.reporting.axes import axis, whole_axis
from trainer_worker.reporting.blocks import (
    Block,
    Chart,
    Column,
    Facts,
    Groups,
    Items,
    Line,
    Meter,
    Named,
    Prose,
    Section,
    Table,
    Tile,
)
from trainer_worker.reporting.figures import MISSING, count, counted, decimal, duration, finite, percent, size
from trainer_worker.reporting.headline import score_words
from trainer_worker.reporting.material import Material, ReportParts

#: So many classes stand in a table; the page says how many are left out.
MOST_CLASSES = 30
#: What people call the parts of a split.
_SPLIT_WORDS = {
    "train": "train",
    "held_out": "score",
    "cross_validated": "score, by cross-validation",
    "unused": "not used",
}
#: What a group of pictures is, by the code of the finding about such groups.
_GROUP_WORDS = {
    "duplicates_exact": "One file, {count} times",
    "duplicates_near": "{count} pictures that look the same",
    "series": "A series of {count} pictures",
}
#: Why a training ended, by its end reason.
_ENDS = {
    EndReason.CONVERGED: "more would not have helped this many photos",
    EndReason.EPOCHS: "the task allowed no more",
    EndReason.BUDGET: "its time was used up",
    EndReason.STOPPED: "somebody asked for the best model so far",
    EndReason.DIVERGED: "the loss began to grow; the model from before that is kept",
}
#: How a picture is brought into the square input, by the word of the manifest.
_FITS = {"squash": "the whole photo squashed into the square", "tiles": "squares of the photo at its own resolution"}


def training_curves(material: Material) -> Section:
    history = material.metrics.get("history") or []
    names = [name for name in (history[0] if history else {}) if name not in ("epoch", "seconds")]
    if len(history) < 2:
        text = "The training took fewer than two epochs, so there is no curve to draw."
        return Section("training", "How the training went", (Prose(text, "note"),))
    charts = [_history_chart(history, name) for name in names]
    blocks: list[Block] = [chart for chart in charts if chart is not None]
    ended = _ENDS.get(EndReason(material.metrics.get("end_reason") or ""))
    text = f"It took {counted(len(history), 'epoch')}{f', and ended because {ended}' if ended else ''}."
    return Section("training", "How the training went", (Prose(text), *blocks))


def _history_chart(history: list[dict[str, Any]], name: str) -> Chart | None:
    points = tuple(
        (float(entry["epoch"]), float(entry[name])) for entry in history if finite(entry.get(name)) is not None
    )
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    words = name.replace("_", " ").replace("dice", "overlap")
    goes = "Falling" if name == "loss" else "Rising"
    in_percent = name.endswith(("accuracy", "dice"))
    write = percent if in_percent else decimal
    return Chart(
        f"{words.capitalize()} on the photos that train the model. {goes}, then flat, is as it should be.",
        whole_axis("epoch", [x for x, _ in points], count),
        axis(words, values, write, most=1.0 if max(values) <= 1 else float("inf")),
        (Line(words, points),),
        Table(
            f"{words.capitalize()} by epoch",
            (Column("epoch"), Column(words)),
            tuple((count(x), percent(y) if in_percent else decimal(y, 4)) for x, y in points),
        ),
    )


def copies(material: Material) -> Section | None:
    """The groups of pictures that look the same or are one series; None where the training found none."""
    groups = material.metrics.get("copies") or []
    if not groups:
        return None
    shown = []
    for group in groups:
        shown_pictures = material.book.pictures(group["files"])
        tiles = tuple(Tile(picture, file) for picture, file in zip(shown_pictures, group["files"], strict=True))
        more = group["count"] - len(tiles)
        said = _GROUP_WORDS[group["code"]].format(count=count(group["count"]))
        shown.append((said + (f", of which {count(more)} are not shown here" if more else ""), tiles))
    found = [_in_words(finding) for finding in material.data_report.findings if _is_said_with_copies(finding)]
    texts = found or ["Pictures that look alike always stand on one side of the split, so they can't raise the score."]
    return Section("copies", "Copies and series", (*map(Prose, texts), Groups(tuple(shown))))


def _is_said_with_copies(finding: Finding) -> bool:
    return finding.severity is Severity.INFO and finding.code in (*COPIES, "grouped_split")


def _in_words(finding: Finding) -> str:
    return f"{finding.sentence} {finding.cure}".strip()


def pictures(material: Material) -> Section:
    report, metrics = material.data_report, material.metrics
    facts = []
    if report.layout:
        facts.append(("Layout of the folder", report.layout.replace("_", " ")))
    if report.rule:
        facts.append(("How it was read", report.rule))
    used = report.split or metrics.get("images") or {}
    facts += [(f"Photos that {_SPLIT_WORDS.get(part, part)}", count(number)) for part, number in used.items()]
    facts.append(("Files left out", count(len(metrics.get("skipped") or []))))
    said = [f for f in report.findings if f.severity is Severity.INFO and f.code not in WORTH_DOING]
    if metrics.get("copies"):
        said = [finding for finding in said if not _is_said_with_copies(finding)]
    blocks: list[Block] = [Facts(tuple(facts))]
    counts = metrics.get("images_per_class") or report.counts
    if len(counts) > 1:
        blocks += _class_counts(counts)
    if said:
        blocks.append(Items("Also found in the folder", tuple(map(_in_words, said))))
    return Section("pictures", "Your photos", tuple(blocks))


def _class_counts(counts: Mapping[str, int]) -> list[Block]:
    largest = max(max(counts.values()), 1)
    smallest_first = sorted(counts.items(), key=lambda item: (item[1], item[0]))
    rows = tuple((label, Meter(count(number), number / largest)) for label, number in smallest_first[:MOST_CLASSES])
    columns = (Column("class", "name"), Column("photos", "meter"))
    blocks: list[Block] = [Table("Photos of each class, the smallest class first", columns, rows)]
    if len(counts) > MOST_CLASSES:
        left_out = counted(len(counts) - MOST_CLASSES, "larger class", "larger classes")
        blocks.append(Prose(f"{left_out} are not listed here; metrics.json has all of them.", "note"))
    return blocks


def files(material: Material, parts: ReportParts) -> Section | None:
    exports = material.metrics.get("exports") or {}
    if not exports.get("formats"):
        return None
    words = score_words(parts.in_percent, exports.get("pictures") or 0)
    rows = tuple(
        (
            Named(str(file.get("file")), size(file.get("size_bytes"))),
            duration(None if finite(file.get("ms_per_image")) is None else file["ms_per_image"] / 1000),
            words(file.get("score")),
            percent(file.get("agreement")),
        )
        for file in exports["formats"]
    )
    columns = (
        Column("file", "name"),
        Column("time per photo"),
        Column(_score_title(str(exports.get("score_name") or ""), parts)),
        Column("same answers"),
    )
    blocks: list[Block] = [
        Prose(
            "Each file was loaded again and run on photos that never trained the model. “Same answers” compares it "
            "with the trained model. The time is that of one photo on the processor of the training machine."
        ),
        Table("Exported files", columns, rows),
    ]
    blocks += [
        Prose(f"{file['file']}: {file['flagged']}", "warning") for file in exports["formats"] if file.get("flagged")
    ]
    blocks += [
        Prose(f"{missing['format']} was not written: {missing['reason']}", "note")
        for missing in exports.get("not_written") or []
    ]
    return Section("files", "Files for your app", tuple(blocks))


def _score_title(name: str, parts: ReportParts) -> str:
    """What the files are scored by, in words."""
    return parts.score_titles.get(name) or name.replace("_", " ") or "score"


def repeating(material: Material) -> Section:
    """Everything that is needed to make the same model again."""
    manifest = material.manifest
    backbone, versions = manifest.get("backbone") or {}, manifest.get("versions") or {}
    facts = [
        ("Task", str(manifest.get("task_id", MISSING))),
        ("trainType", str(manifest.get("train_type", MISSING))),
        ("Network", ", ".join(str(backbone[key]) for key in ("network", "licence") if backbone.get(key)) or MISSING),
        ("Input", _input(manifest.get("input") or {})),
        ("Time", _stages(manifest.get("stage_seconds") or {})),
        ("Options", _listed(manifest.get("options") or {})),
        ("Versions", _listed({name: value for name, value in versions.items() if not name.endswith("sha256")})),
    ]
    shown = tuple((name, value) for name, value in facts if value not in ("", MISSING))
    return Section("making", "How to make it again", (Facts(shown),))


def _input(expected: Mapping[str, Any]) -> str:
    shape = expected.get("shape")
    if not shape:
        return MISSING
    fit = str(expected.get("fit") or "")
    how = f"; {_FITS.get(fit, fit)}" if fit else ""
    return f"{shape[2]} × {shape[1]} pixels, {expected.get('channels', 'RGB')}, {expected.get('dtype', '')}{how}"


def _stages(seconds: Mapping[str, float]) -> str:
    stages = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items() if value >= 0.001)
    return f"{duration(sum(seconds.values()))}: {stages}" if seconds else MISSING


def _listed(values: Mapping[str, Any]) -> str:
    """Such as "epochs 100, exports tflite+keras"."""
    return ", ".join(
        f"{name} {'+'.join(map(str, value)) if isinstance(value, list | tuple) else value}"
        for name, value in values.items()
        if value not in ("", None)
    )
