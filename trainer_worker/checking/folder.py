"""What a training would find in a folder, as far as names and headers tell."""

from __future__ import annotations

from collections import Counter

from protocol.data_report import MAX_COUNTED_CLASSES, DataReport, Finding, Severity, finding, gravest_first
from protocol.errors import TrainingError
from trainer_worker.checking.headers import header_findings
from trainer_worker.layouts.archives import look_into_archives
from trainer_worker.layouts.count_findings import count_findings
from trainer_worker.layouts.layout import ClassLayout, MaskLayout
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.publishing.kind import Kind


def check_folder(kind: Kind, files: UserFiles, headers_until_s: float) -> DataReport:
    """The report on a folder for a trainType. Nothing is raised for what is wrong with the folder: it is a finding.

    headers_until_s: monotonic time at which the reading of headers ends. Names are always looked at.
    """
    try:
        on_disk = walk(files)
        tree = look_into_archives(files, on_disk)
    except TrainingError as error:
        return DataReport(findings=(error_finding(error),))
    try:
        layout = kind.recognise(tree)
    except TrainingError as error:
        return DataReport(skipped=len(tree.skipped), findings=(error_finding(error), *tree.findings))
    paths = [picture.path for picture in layout.pictures]
    # Pictures inside archives are looked at when a training unpacks them.
    headers = header_findings(PictureReader(files), [path for path in paths if path in on_disk.files], headers_until_s)
    counts = class_counts(layout)
    found = [*layout.findings, *count_findings(counts), *headers.findings]
    return DataReport(
        layout=layout.name,
        rule=layout.rule,
        pictures=len(paths),
        counts=dict(list(counts.items())[:MAX_COUNTED_CLASSES]),
        split=dict(Counter(str(picture.part) for picture in layout.pictures if picture.part)),
        skipped=len(tree.skipped) + headers.unreadable,
        findings=gravest_first(found),
    )


def class_counts(layout: ClassLayout | MaskLayout) -> dict[str, int]:
    """Pictures of each class. Empty for masks, whose classes only their pixels tell."""
    if isinstance(layout, MaskLayout):
        return {}
    numbers = Counter(picture.label for picture in layout.pictures)
    return {label: numbers[label] for label in layout.labels}


def error_finding(error: TrainingError) -> Finding:
    """The finding that says why the folder can't be trained on."""
    return finding(error.code, Severity.ERROR, error.error)
