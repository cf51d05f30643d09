"""What the headers of pictures tell before a training decodes them: which can't be read, and which lie sideways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocol.data_report import Finding, Severity, finding
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import TURNS_THAT_SWAP_SIDES
from trainer_worker.pictures.skipped_findings import unreadable_findings
from trainer_worker.pictures.user_files import SkippedFile

#: Below this side a photo shows hardly anything.
SMALL_SIDE_PX = 32


def header_findings(headers: Headers, pictures: Iterable[str]) -> list[Finding]:
    """What the headers tell the owner. pictures: the paths of the files with a read header that are no masks."""
    found = unreadable_findings([SkippedFile(path, error.reason) for path, error in headers.unreadable.items()])
    seen = {path: headers.seen[path] for path in pictures if path in headers.seen}
    if sideways := [path for path, header in seen.items() if header.turn in TURNS_THAT_SWAP_SIDES]:
        found.append(_sideways(sideways))
    if small := [path for path, header in seen.items() if min(header.size) < SMALL_SIDE_PX]:
        found.append(_small(small))
    if headers.unread:
        read = len(headers.seen) + len(headers.unreadable)
        found.append(_not_all(read, read + headers.unread))
    return found


def _sideways(files: Sequence[str]) -> Finding:
    return finding(
        "sideways_pictures",
        Severity.INFO,
        f"Photos that are stored sideways, with a note (EXIF) on how to turn them: {len(files)}. They are turned.",
        "",
        files,
    )


def _small(files: Sequence[str]) -> Finding:
    return finding(
        "small_pictures",
        Severity.WARNING,
        f"Pictures with a side of fewer than {SMALL_SIDE_PX} pixels: {len(files)}. They may be previews.",
        "Upload the pictures at their full size.",
        files,
    )


def _not_all(read: int, count: int) -> Finding:
    return finding(
        "headers_not_all_read",
        Severity.INFO,
        f"A check has little time, so it read the headers of only {read:,} of {count:,} files, chosen at random. A "
        "training reads all of them.",
    )
