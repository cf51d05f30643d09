"""What a classifier's training would say of a folder before it decodes any picture."""

from __future__ import annotations

from collections import Counter

import msgspec

from protocol.data_report import DataReport, Severity, finding
from protocol.errors import TrainingError
from trainer_worker.classification.folders import ClassFolders, class_folders, keep_trainable
from trainer_worker.layouts.count_findings import count_findings
from trainer_worker.layouts.layout import ClassLayout, MaskLayout
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader


def foresee(tree: Tree, layout: ClassLayout | MaskLayout, reader: PictureReader, headers: Headers) -> DataReport:
    """See Kind.foresee. Pictures whose header can't be read are left out, as the training leaves them out."""
    assert isinstance(layout, ClassLayout)
    folders = class_folders(layout, tree, reader)
    report = folders.report()
    numbers = {picture.path: number for number, picture in enumerate(layout.pictures)}
    unreadable = {numbers[path]: error for path, error in headers.unreadable.items()}
    try:
        kept = keep_trainable(folders, unreadable)
    except TrainingError as error:
        return msgspec.structs.replace(report, findings=(error.finding(), *report.findings))
    left_out = [finding("class_left_out", Severity.WARNING, warning) for warning in kept.warnings]
    return msgspec.structs.replace(
        report, findings=(*report.findings, *left_out, *count_findings(*_trained_and_scored(kept)))
    )


def _trained_and_scored(folders: ClassFolders) -> tuple[dict[str, int], dict[str, int]]:
    """The pictures of each class that train, and those of the caller's own split that score; {} where there is none."""
    given = folders.callers_split()
    if given is None:
        return folders.counts(), {}
    trained, scored = (Counter(folders.classes[rows].tolist()) for rows in given)
    labels = range(len(folders.labels))
    return (
        {folders.labels[label]: trained[label] for label in labels},
        {folders.labels[label]: scored[label] for label in labels},
    )
