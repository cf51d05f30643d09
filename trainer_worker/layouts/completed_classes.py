"""Completes a recognised layout of classes: the order of its labels, classes that can't be trained, and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.class_findings import left_out_findings, other_file_findings
from trainer_worker.layouts.labels_info import label_order
from trainer_worker.layouts.layout import ClassLayout, LabelledFile, Part
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.picture_index import PictureIndex


def completed(index: PictureIndex, layout: ClassLayout, roots: Sequence[str], empty: Mapping[str, str]) -> ClassLayout:
    """The layout with its labels in order, its pictures sorted, and all findings.

    roots: folders in which class folders lie. empty: class folders without pictures, by label.
    Raises TrainingError bad_labels_info.
    """
    findings = [*index.tree.findings, *layout.findings]
    labelled, split = _usable_split(layout.pictures)
    pictures = _without_classes_that_only_score(labelled, findings)
    counts = Counter(picture.label for picture in pictures)
    unused = {label: folder for label, folder in empty.items() if label not in counts}
    if unused:
        sentence = f"Class folders without pictures are left out: {some_of(sorted(unused))}."
        cure = "Put pictures into them, or delete them."
        findings.append(finding("empty_classes", Severity.WARNING, sentence, cure, sorted(unused.values())))
    above = [folder for root in roots for folder in _above(root)]
    labels, about_order = label_order(index.tree, {**dict.fromkeys(empty, 0), **counts}, above)
    findings += [*about_order, *_alike_classes(labels), *_split_findings(pictures, labels, split)]
    used = [picture.path for picture in pictures]
    if layout.name != "class_list":
        findings += left_out_findings(index, [*used, *(picture.path for picture in layout.pictures)], above)
    findings += other_file_findings(index, used, layout.label_files)
    position = {label: number for number, label in enumerate(labels)}
    ordered = tuple(sorted(pictures, key=lambda picture: (position[picture.label], picture.path)))
    return replace(layout, labels=tuple(labels), pictures=ordered, findings=tuple(findings))


def _usable_split(pictures: Sequence[LabelledFile]) -> tuple[Sequence[LabelledFile], bool]:
    """The pictures, and whether their parts are a split: some train and others score. If not, all parts become ANY."""
    parts = {picture.part for picture in pictures}
    if parts & {Part.VAL, Part.TEST} and parts & {Part.TRAIN, Part.ANY}:
        return pictures, True
    if parts <= {Part.ANY}:
        return pictures, False
    return [replace(picture, part=Part.ANY) for picture in pictures], False


def _without_classes_that_only_score(
    pictures: Sequence[LabelledFile], findings: list[Finding]
) -> Sequence[LabelledFile]:
    trained = {picture.label for picture in pictures if picture.part in (Part.TRAIN, Part.ANY)}
    others = [picture for picture in pictures if picture.label not in trained]
    if not others:
        return pictures
    names = some_of(sorted({picture.label for picture in others}))
    sentence = f"Classes that have no picture to train on are left out: {names} ({len(others)} pictures)."
    cure = "Put pictures of them into the part that trains."
    paths = [picture.path for picture in others]
    findings.append(finding("class_missing_in_train", Severity.WARNING, sentence, cure, paths))
    left, _ = _usable_split([picture for picture in pictures if picture.label in trained])
    return left


def _split_findings(pictures: Sequence[LabelledFile], labels: Sequence[str], split: bool) -> list[Finding]:
    parts = Counter(picture.part for picture in pictures)
    if not split or not parts[Part.VAL] + parts[Part.TEST]:
        return []
    scoring = Part.TEST if parts[Part.TEST] else Part.VAL
    train = parts[Part.TRAIN] + parts[Part.ANY]
    rest = (
        f"; the {parts[Part.VAL]} of the validation part are not used" if parts[Part.VAL] and parts[Part.TEST] else ""
    )
    sentence = (
        f"The caller's own split is used: {train} pictures train the model and {parts[scoring]} ({scoring}) score it"
        f"{rest}. The option validationSplit is not used."
    )
    findings = [finding("callers_split", Severity.INFO, sentence)]
    scored = {picture.label for picture in pictures if picture.part is scoring}
    missing = [label for label in labels if label not in scored]
    if missing:
        sentence = f"Classes without a picture in the part that scores ({scoring}): {some_of(missing)}."
        cure = "Put some of their pictures there. Otherwise no score says how well the model recognises them."
        findings.append(finding("class_missing_in_test", Severity.WARNING, sentence, cure))
    return findings


def _alike_classes(labels: Sequence[str]) -> list[Finding]:
    """Classes whose names look alike. Single letters (a and A) are no warning, since many sets tell them apart."""
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(" ".join(label.casefold().split()), []).append(label)
    alike_names = [found for found in alike.values() if len(found) > 1]
    if not alike_names:
        return []
    severity = Severity.INFO if all(len(label) == 1 for found in alike_names for label in found) else Severity.WARNING
    pairs = some_of([" and ".join(map(repr, found)) for found in alike_names])
    sentence = f"Classes whose names differ only in capitals or spaces are kept apart: {pairs}."
    return [finding("case_twins", severity, sentence, "If they are one class, put their pictures into one folder.")]


def _above(folder: str) -> list[str]:
    """A folder and those around it, the outermost first."""
    parts = folder.split("/") if folder else []
    return ["", *("/".join(parts[: number + 1]) for number in range(len(parts)))]
