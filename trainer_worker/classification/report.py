"""What report.html says about the answers of a classifier: confusions, classes, mistakes, doubtful labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainer_worker.reporting.blocks import Block, Column, Gallery, Meter, Named, Prose, Section, Table, Tile
from trainer_worker.reporting.confusions import confusions
from trainer_worker.reporting.figures import count, counted, finite, percent, percent_range
from trainer_worker.reporting.material import Baseline, Material, ReportParts

#: The name of the accuracy that exported files are compared by: of the published model on its held-out pictures.
HELD_OUT_ACCURACY = "held_out_accuracy"
#: So many classes stand in the table, the weakest first.
MOST_CLASSES = 30
#: So many pictures are shown in each gallery.
MOST_PICTURES = 12
#: Where no label looks wrong, so many photos are shown whose labels are doubted most.
MOST_DOUBTED = 4


def _baseline(metrics: Mapping[str, Any]) -> Baseline | None:
    score = finite((metrics.get("baseline") or {}).get("majority_class_accuracy"))
    return None if score is None else Baseline(score, "always naming the largest class")


def _sections(material: Material) -> list[Section]:
    metrics = material.metrics
    sections = []
    if metrics.get("confusion_matrix"):
        sections.append(confusions(metrics["labels"], metrics["confusion_matrix"], "photos"))
    if metrics.get("per_class"):
        sections.append(_classes(metrics["per_class"]))
    if metrics.get("held_out"):
        sections.append(_mistakes(material))
    if metrics.get("suspect_labels") is not None:
        sections.append(_suspects(material))
    return sections


def _classes(per_class: Sequence[Mapping[str, Any]]) -> Section:
    tested = [entry for entry in per_class if entry["support"]]
    weakest = sorted(tested, key=lambda entry: (entry["recall"], entry["label"]))
    untested = [entry for entry in per_class if not entry["support"]]
    shown = [*weakest, *untested][:MOST_CLASSES]
    blocks: list[Block] = [
        Table(
            "Found: of the photos of a class, the share that is recognised. Right when named: of the photos that the "
            "model gives this class, the share that belongs to it. The thin line is the range for new photos (95 %).",
            (
                Column("class", "name"),
                Column("found", "meter"),
                Column("right when named", "meter"),
            ),
            tuple((_named(entry), _found(entry), _right(entry)) for entry in shown),
        )
    ]
    if len(per_class) > len(shown):
        left_out = counted(len(per_class) - len(shown), "stronger class", "stronger classes")
        blocks.append(Prose(f"{left_out} are left out here; metrics.json has all of them.", "note"))
    return Section("classes", "Class by class, the weakest first", tuple(blocks))


def _named(entry: Mapping[str, Any]) -> Named:
    verdict = f", {entry['verdict']}" if entry.get("verdict") else ""
    return Named(entry["label"], counted(entry["support"], "photo") + verdict)


def _found(entry: Mapping[str, Any]) -> Meter:
    if not entry["support"]:
        return Meter("not tested")
    return _meter(entry, "recall", entry["support"])


def _right(entry: Mapping[str, Any]) -> Meter:
    if not entry.get("predicted", 1):
        return Meter("never named")
    return _meter(entry, "precision", entry.get("predicted") or 0)


def _meter(entry: Mapping[str, Any], name: str, of: int) -> Meter:
    low, high = finite(entry.get(f"{name}_low")), finite(entry.get(f"{name}_high"))
    likely = percent_range(low, high)
    known = low is not None and high is not None
    return Meter(percent(entry[name], of), finite(entry[name]), low if known else None, high if known else None, likely)


def _mistakes(material: Material) -> Section:
    scored = [*material.metrics["held_out"], *(material.metrics.get("cross_validated") or [])]
    wrong = [entry for entry in scored if entry["truth"] != entry["predicted"]]
    surest = sorted(wrong, key=lambda entry: (-entry["probability"], entry["file"]))[:MOST_PICTURES]
    if not wrong:
        said = Prose(f"None: all {counted(len(scored), 'photo')} that scored the model were recognised.", "good")
        return Section("mistakes", "Its worst mistakes", (said,))
    pictures = material.book.pictures([entry["file"] for entry in surest])
    tiles = tuple(
        Tile(
            picture,
            entry["file"],
            (("is", entry["truth"]), ("taken for", entry["predicted"]), ("sure", percent(entry["probability"]))),
        )
        for picture, entry in zip(pictures, surest, strict=True)
    )
    of = f"{count(len(wrong))} of {counted(len(scored), 'photo')} that scored the model were misclassified."
    which = " Here are those of which it was surest." if len(wrong) > len(surest) else " The surest come first."
    return Section("mistakes", "Its worst mistakes", (Prose(of + which), Gallery(tiles)))


def _suspects(material: Material) -> Section:
    ranked = material.metrics["suspect_labels"]
    named = [entry for entry in ranked if entry["named"]]
    if named:
        listed = named
        text = Prose(
            f"{counted(len(named), 'photo')} may stand in the wrong folder: a model that had never seen "
            f"{'it' if len(named) == 1 else 'them'} is sure of another class. Look at each, and move those that are "
            "wrong; some will be right."
        )
    else:
        listed = ranked[:MOST_DOUBTED]
        text = Prose("No label is clearly wrong." + (" These are the ones doubted most." if listed else ""), "good")
    shown = listed[:MOST_PICTURES]
    pictures = material.book.pictures([entry["file"] for entry in shown])
    tiles = tuple(
        Tile(
            picture,
            entry["file"],
            (
                ("label", f"{entry['label']}, {percent(entry['label_probability'])}"),
                ("likely", f"{entry['likely']}, {percent(entry['likely_probability'])}"),
            ),
        )
        for picture, entry in zip(pictures, shown, strict=True)
    )
    blocks: list[Block] = [text, *([Gallery(tiles)] if tiles else [])]
    if more := len(listed) - len(shown):
        blocks.append(Prose(f"metrics.json lists {count(more)} more (suspect_labels).", "note"))
    return Section("labels", "Labels that look wrong", tuple(blocks))


PARTS = ReportParts(
    in_percent=True,
    baseline=_baseline,
    sections=_sections,
    score_titles={HELD_OUT_ACCURACY: "held-out photos recognised"},
)
