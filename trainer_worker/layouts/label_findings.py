"""Findings about the labels of the classes that train: in the layout, and once pictures have turned out unreadable."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.data_report import Finding
from trainer_worker.layouts.doubtful_names import CURES_OF_FOLDERS, CURES_OF_LISTS, alike_classes, doubtful_names
from trainer_worker.layouts.layout import LabelledFile
from trainer_worker.layouts.listed_classes import joined_classes

#: The codes of these findings, which hold for these classes only.
LABEL_CODES = frozenset({"doubtful_classes", "case_twins", "joined_classes"})


def labels_of_folders(labels: Sequence[str]) -> list[Finding]:
    """Names of class folders that don't sound like a class, or look alike."""
    return [
        *doubtful_names(set(labels), CURES_OF_FOLDERS),
        *alike_classes(labels, "put their pictures into one folder"),
    ]


def labels_of_list(pictures: Sequence[LabelledFile]) -> list[Finding]:
    """Labels of a list that name several classes at once, don't sound like a class, or look alike."""
    labels = sorted({picture.label for picture in pictures})
    return [
        *joined_classes(pictures),
        *doubtful_names(set(labels), CURES_OF_LISTS),
        *alike_classes(labels, "give them one name in the list"),
    ]
