"""What the headers of pictures tell before a training decodes them: which can't be read, and which lie sideways."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.data_report import Finding, Severity, finding
from trainer_worker.pictures.images import (
    TURNS_THAT_SWAP_SIDES,
    PictureReader,
    UnreadableImageError,
    opened,
    orientation,
)

#: Below this side a photo shows hardly anything.
SMALL_SIDE_PX = 32


@dataclass(frozen=True)
class HeaderFindings:
    """unreadable: the number of files that are no readable pictures."""

    findings: list[Finding]
    unreadable: int


def header_findings(reader: PictureReader, paths: Sequence[str], until_s: float) -> HeaderFindings:
    """Read the header of each file until the monotonic time until_s. paths: relative to the project."""
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    sideways: list[str] = []
    small: list[str] = []
    read = 0
    for path in paths:
        if time.monotonic() >= until_s:
            break
        read += 1
        try:
            with opened(reader, reader.files.project_dir / path) as picture:
                # The orientation of a PNG may stand behind its pixels, which are not read here.
                if picture.image.format == "JPEG" and orientation(picture.image) in TURNS_THAT_SWAP_SIDES:
                    sideways.append(path)
                if min(picture.full_size) < SMALL_SIDE_PX:
                    small.append(path)
        except UnreadableImageError as error:
            reasons[error.reason].append(path)
    found = [_unreadable(reason, files) for reason, files in reasons.items()]
    if sideways:
        found.append(_sideways(sideways))
    if small:
        found.append(_small(small))
    if read < len(paths):
        found.append(_not_all(read, len(paths)))
    return HeaderFindings(found, sum(map(len, reasons.values())))


def _unreadable(reason: str, files: Sequence[str]) -> Finding:
    return finding(
        "unreadable_pictures",
        Severity.WARNING,
        f"{len(files)} files can't be read as pictures: {reason}.",
        "Replace them, or delete them; a training skips them.",
        files,
    )


def _sideways(files: Sequence[str]) -> Finding:
    return finding(
        "sideways_pictures",
        Severity.INFO,
        f"{len(files)} photos are stored sideways and carry a note (EXIF) on how to turn them. They are turned.",
        "",
        files,
    )


def _small(files: Sequence[str]) -> Finding:
    return finding(
        "small_pictures",
        Severity.WARNING,
        f"{len(files)} pictures are smaller than {SMALL_SIDE_PX} pixels. Previews look like that.",
        "Upload the pictures at their full size.",
        files,
    )


def _not_all(read: int, count: int) -> Finding:
    return finding(
        "headers_not_all_read",
        Severity.INFO,
        f"The headers of {read:,} of {count:,} pictures were read in the time for a check. A training reads all.",
    )
