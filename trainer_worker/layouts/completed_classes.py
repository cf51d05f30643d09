"""Completes a recognised layout of classes: the order of its labels, classes that can't be trained, and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.layouts.class_findings import left_out_findings, other_file_findings
from trainer_worker.layouts.class_lists import CLASS_LIST
from trainer_worker.layouts.corrections import LEFT_OUT, CorrectedClasses, Corrections
from trainer_worker.layouts.label_findings import labels_of_folders, labels_of_list
from trainer_worker.layouts.labels_info import label_order
from trainer_worker.layouts.layout import ClassLayout, LabelledFile, Part, UnusedFile
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.picture_index import PictureIndex
from trainer_worker.layouts.split_findings import split_findings


def completed(
    index: PictureIndex, layout: ClassLayout, roots: Sequence[str], empty: Mapping[str, str], corrections: Corrections
) -> ClassLayout:
    """The corrected layout with its labels in order, its pictures sorted, and all findings.

    roots: folders in which class folders lie. empty: folders without pictures that may be meant as classes, by label.
    Raises TrainingError bad_labels_info, and too_few_classes where corrections leave too little.
    """
    labelled, split = _usable_split(layout.pictures)
    corrected = corrections.of_classes(labelled, empty)
    findings = [*index.tree.findings, *layout.findings, *corrected.findings]
    pictures = _without_classes_that_only_score(corrected.pictures, findings)
    counts = Counter(picture.label for picture in pictures)
    unused = {label: folder for label, folder in empty.items() if label not in counts}
    if unused:
        sentence = f"Folders without pictures are no classes: {some_of(sorted(unused))}."
        cure = "If they are meant as classes, put pictures into them."
        findings.append(finding("empty_classes", Severity.WARNING, sentence, cure, sorted(unused.values())))
    above = [folder for root in roots for folder in _above(root)]
    without = dict.fromkeys([*empty, *corrected.emptied], 0)
    labels, about_order = label_order(index.tree, {**without, **counts}, above)
    _refuse_too_few(labels, layout, corrected)
    listed = layout.name == CLASS_LIST
    findings += [
        *about_order,
        *(labels_of_list(pictures) if listed else labels_of_folders(labels)),
        *(split_findings([(picture.label, picture.part) for picture in pictures], labels) if split else ()),
    ]
    used = [picture.path for picture in pictures]
    if not listed:
        known = [*used, *(picture.path for picture in layout.pictures), *corrected.excluded]
        findings += left_out_findings(index, known, above)
    findings += other_file_findings(index, used, layout.label_files)
    position = {label: number for number, label in enumerate(labels)}
    ordered = tuple(sorted(pictures, key=lambda picture: (position[picture.label], picture.path)))
    return replace(
        layout,
        labels=tuple(labels),
        pictures=ordered,
        findings=tuple(findings),
        unused=tuple(UnusedFile(path, LEFT_OUT) for path in corrected.excluded),
        looked_at=corrected.looked_at,
    )


def _refuse_too_few(labels: Sequence[str], layout: ClassLayout, corrected: CorrectedClasses) -> None:
    """Raise too_few_classes if corrections have left fewer than two classes to train on."""
    if len(labels) < 2 <= len({picture.label for picture in layout.pictures}) and corrected.sentence:
        left = f"only the class {some_of(labels)}" if labels else "no class"
        raise TrainingError(
            "too_few_classes",
            f"{corrected.sentence} That leaves {left} with pictures to train on, and classification needs at least "
            "two. Take back some of its rows, or add pictures.",
        )


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


def _above(folder: str) -> list[str]:
    """A folder and those around it, the outermost first."""
    parts = folder.split("/") if folder else []
    return ["", *("/".join(parts[: number + 1]) for number in range(len(parts)))]
