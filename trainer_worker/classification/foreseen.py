"""What a classifier's training would say about a folder before it decodes any picture."""

from __future__ import annotations

import msgspec
import numpy as np

from protocol.data_report import DataReport, gravest_first
from protocol.errors import TrainingError
from protocol.options import TrainingOptions
from trainer_worker.classification.folders import class_folders, keep_trainable
from trainer_worker.layouts.count_findings import count_findings
from trainer_worker.layouts.layout import ClassLayout, MaskLayout
from trainer_worker.layouts.mirroring import mirror_findings
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader


def foresee(
    tree: Tree,
    layout: ClassLayout | MaskLayout,
    reader: PictureReader,
    headers: Headers,
    options: TrainingOptions,
) -> DataReport:
    """See Kind.foresee. Pictures whose header can't be read are left out, as the training leaves them out."""
    assert isinstance(layout, ClassLayout)
    folders = class_folders(layout, tree, reader)
    numbers = {picture.path: number for number, picture in enumerate(layout.pictures)}
    unreadable = {numbers[path]: error for path, error in headers.unreadable.items()}
    try:
        kept = keep_trainable(folders, unreadable)
    except TrainingError as error:
        readable = [row for row in range(len(folders.files)) if row not in unreadable]
        report = folders.only(np.array(readable, np.int64)).report()
        return msgspec.structs.replace(report, findings=(error.finding(), *report.findings))
    found = [
        *kept.findings,
        *mirror_findings(kept.labels, options.mirror),
        *count_findings(*kept.trained_and_scored()),
    ]
    return msgspec.structs.replace(kept.report(), findings=gravest_first(found))
