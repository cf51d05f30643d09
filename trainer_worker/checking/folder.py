"""What a training would find in a folder, as far as names and headers tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from protocol.data_report import DataReport, Finding, gravest_first
from protocol.errors import TrainingError
from protocol.litter import suffix_of
from protocol.options import typed_options
from trainer_worker.checking.headers import header_findings
from trainer_worker.layouts.archives import look_into_archives
from trainer_worker.layouts.layout import LabelledFile, MaskedFile, MaskFile, ObjectMasks
from trainer_worker.layouts.mask_pairs import ARRAY_SUFFIX
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.headers import Headers, read_headers
from trainer_worker.pictures.images import PictureReader
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.trained_pictures import (
    SeenPicture,
    news_finding,
    recall_pictures,
    seen_pictures,
    what_is_new,
)
from trainer_worker.publishing.kind import Kind


def check_folder(
    kind: Kind, project: ProjectFolder, headers_until_s: float, options: Mapping[str, Any] = MappingProxyType({})
) -> DataReport:
    """The report on a folder for a trainType. Nothing is raised for what is wrong with the folder: it is a finding.

    headers_until_s: monotonic time at which the reading of headers ends. Names are always looked at.
    options: those that the caller gave, as in TaskSpec.
    """
    files = project.files
    try:
        on_disk = walk(files)
        tree = look_into_archives(files, on_disk)
    except TrainingError as error:
        return DataReport(findings=(error.finding(),))
    try:
        layout = kind.recognise(tree)
    except TrainingError as error:
        return DataReport(skipped=len(tree.skipped), findings=gravest_first([error.finding(), *tree.findings]))
    reader = PictureReader(files)
    # Pictures inside archives are looked at when a training unpacks them.
    groups = [_headers_of(picture) for picture in layout.pictures if picture.path in on_disk.files]
    headers = _headers(project, reader, groups, headers_until_s)
    report = kind.foresee(tree, layout, reader, headers, typed_options(kind.train_type, options))
    found = [
        *project.findings,
        *report.findings,
        *header_findings(headers, (picture.path for picture in layout.pictures)),
    ]
    if tree is on_disk:  # what is in archives is not compared
        found += _news(kind, project, seen_pictures(tree, layout))
    return msgspec.structs.replace(
        report, skipped=report.skipped + len(headers.unreadable), findings=gravest_first(found)
    )


def _headers(project: ProjectFolder, reader: PictureReader, groups: Sequence[Sequence[str]], until_s: float) -> Headers:
    """The headers of pictures, as far as there is time. Of a project in object storage their beginnings come first."""
    ready = project.origin.bring_heads(groups, until_s)
    headers = read_headers(reader, ready, until_s)
    headers.unread += sum(map(len, groups)) - sum(map(len, ready))
    # A picture may have a megabyte before its size.
    if whole := project.origin.bring_whole(list(headers.unreadable)):
        again = read_headers(reader, [[path] for path in whole], until_s)
        headers.seen.update(again.seen)
        headers.unreadable = {path: error for path, error in headers.unreadable.items() if path not in again.seen}
    return headers


def _news(kind: Kind, project: ProjectFolder, seen: Mapping[str, SeenPicture]) -> list[Finding]:
    """What is new since the folder's last model."""
    before = recall_pictures(project, kind.train_type)
    if before is None:
        return []
    files = project.files

    def hashes(paths: Sequence[str]) -> Sequence[str]:
        project.origin.bring_whole(paths)
        return content_hashes(files, [files.project_dir / path for path in paths])

    news = what_is_new(before, seen, hashes)
    return [news_finding(before, news)]


def _headers_of(picture: LabelledFile | MaskedFile) -> list[str]:
    """The paths of a picture and of the pictures that are its masks. Arrays are read by the training only."""
    masks: list[str] = []
    if isinstance(picture, MaskedFile):
        if isinstance(picture.mask, MaskFile):
            masks = [picture.mask.path]
        elif isinstance(picture.mask, ObjectMasks):
            masks = [path for path, _ in picture.mask.files]
    return [picture.path, *(path for path in masks if suffix_of(path) != ARRAY_SUFFIX)]
