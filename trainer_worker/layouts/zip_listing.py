"""What a zip in a user's folder holds: its entries by safe names, or a sentence that says why it is refused.

A zip is a stranger's. Names that lead out of it, links, passwords, archives inside and sizes that would fill the disk
are found here, before a byte is unpacked.
"""

from __future__ import annotations

import contextlib
import io
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from protocol.errors import TrainingError
from protocol.litter import ARCHIVE_SUFFIXES, is_litter_file, is_litter_folder, suffix_of
from protocol.text import printable
from trainer_worker.layouts.tree import MAX_DEPTH, comparable
from trainer_worker.pictures.user_files import MAX_FILE_BYTES, RefusedFileError, SkippedFile, UserFiles

MAX_ARCHIVE_BYTES = 20 * 1024**3
#: Of all archives of a project together.
MAX_UNPACKED_BYTES = 20 * 1024**3
MAX_ENTRIES = 200_000
#: The list of entries is read into memory whole. 200,000 entries with long names have 20 MB.
_MAX_LIST_BYTES = 32 * 1024**2
#: Photos hardly shrink. An archive of photos never unpacks to more than this many times its size. Small archives may.
MAX_RATIO = 100
RATIO_MATTERS_FROM_BYTES = 256 * 1024**2
_MAX_NAME_BYTES = 255

#: Not LZMA: its decoder takes as much memory as an archive asks for.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
#: What damaged archives make zipfile raise; OSError is a seek to before the beginning.
DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error, OSError)
_IS_ENCRYPTED, _HAS_UTF8_NAME = 0x1, 0x800
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class ZipEntry:
    """path: within the archive, with "/"; safe to be created below a folder."""

    path: str
    size_bytes: int
    info: zipfile.ZipInfo


@dataclass(frozen=True)
class ZipListing:
    """entries: files without litter. skipped: links and the like, by their names in the archive."""

    entries: tuple[ZipEntry, ...]
    skipped: tuple[SkippedFile, ...]


class _BoundedFile(io.BufferedReader):
    """Refuses reads that would take much memory at once: zipfile believes what an archive says of its own list."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_LIST_BYTES:
            raise _list_too_long()
        content = super().read(_MAX_LIST_BYTES + 1 if size is None or size < 0 else size)
        if len(content) > _MAX_LIST_BYTES:
            raise _list_too_long()
        return content


def _list_too_long() -> zipfile.BadZipFile:
    return zipfile.BadZipFile(f"its list of files has more than {_MAX_LIST_BYTES // 1024**2} MB")


@contextlib.contextmanager
def opened_zip(files: UserFiles, path: str) -> Iterator[zipfile.ZipFile]:
    """A zip of the project, open for reading. Raises TrainingError layout_unsupported."""
    try:
        raw = files.open(files.project_dir / path, MAX_ARCHIVE_BYTES)
    except RefusedFileError as refused:
        raise refused_archive(path, f"can't be read: {refused.reason}. Make it anew") from refused
    with raw:
        try:
            archive = zipfile.ZipFile(_BoundedFile(raw))
        except DAMAGE as error:
            raise refused_archive(path, f"is damaged, or no zip ({str(error)[:200]}). Make it anew") from error
        with archive:
            yield archive


def list_zip(files: UserFiles, path: str) -> ZipListing:
    """The entries of a zip. Raises TrainingError layout_unsupported, naming the entry that is not accepted."""
    entries: list[ZipEntry] = []
    skipped: list[SkippedFile] = []
    with opened_zip(files, path) as archive:
        infos = archive.infolist()
        archive_bytes = max(1, files.find(files.project_dir / path).size_bytes)
    if len(infos) > MAX_ENTRIES:
        raise refused_archive(path, f"holds more than {MAX_ENTRIES:,} files. Split it")
    for info in infos:
        name = _decoded(info)
        steps = _safe_steps(path, name)
        if info.is_dir() or name.endswith(("/", "\\")) or not steps or _is_litter(steps):
            continue
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            skipped.append(SkippedFile("/".join(steps), "it is a link or a device inside of an archive"))
            continue
        _refuse_content(path, "/".join(steps), info)
        entries.append(ZipEntry("/".join(steps), info.file_size, info))
    _refuse_twice(path, entries)
    total_bytes = sum(entry.size_bytes for entry in entries)
    if total_bytes > MAX_UNPACKED_BYTES:
        raise refused_archive(path, f"unpacks to more than {MAX_UNPACKED_BYTES // 1024**3} GB. Post fewer pictures")
    if total_bytes > RATIO_MATTERS_FROM_BYTES and total_bytes > MAX_RATIO * archive_bytes:
        raise refused_archive(
            path, f"unpacks to more than {MAX_RATIO} times its size, which photos never do. Make it anew"
        )
    return ZipListing(tuple(sorted(entries, key=lambda entry: entry.path)), tuple(skipped))


def _decoded(info: zipfile.ZipInfo) -> str:
    """Names are CP437 or, with a flag, UTF-8. macOS and many programs write UTF-8 without the flag."""
    if info.flag_bits & _HAS_UTF8_NAME:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


def _safe_steps(path: str, name: str) -> list[str]:
    """The folders of an entry and its name. Refuses names that lead out of the archive, or that no disk can hold."""
    plain = name.replace("\\", "/")
    steps = [step for step in plain.split("/") if step not in ("", ".")]
    if plain.startswith("/") or _DRIVE.match(plain) or ".." in steps or "\0" in plain:
        raise refused_archive(path, f"holds the name {name[:80]!r}, which leads out of it. Make it anew")
    too_long = any(len(step.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES for step in steps)
    if too_long or len(steps) > MAX_DEPTH:
        raise refused_archive(path, f"holds the name {name[:80]!r}, which is too long or too deep. Shorten it")
    return steps


def _is_litter(steps: list[str]) -> bool:
    return is_litter_file(steps[-1]) or any(map(is_litter_folder, steps[:-1]))


def _refuse_content(path: str, name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _IS_ENCRYPTED:
        raise refused_archive(path, f"is encrypted ({name[:80]}). Make it anew without a password")
    if suffix_of(name) in ARCHIVE_SUFFIXES:
        raise refused_archive(path, f"holds another archive, {name[:80]}. Unpack that one first")
    if info.compress_type not in _METHODS:
        raise refused_archive(
            path, f"is packed in a way that is not read ({name[:80]}). Make it with plain zip (deflate)"
        )
    if info.file_size > MAX_FILE_BYTES:
        raise refused_archive(
            path, f"holds {name[:80]}, which has more than {MAX_FILE_BYTES // 1024**2:,} MB. Leave it out"
        )


def _refuse_twice(path: str, entries: list[ZipEntry]) -> None:
    """A name must stand for one file, and never for a file and a folder."""
    files: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        name = comparable(entry.path)
        if name in files:
            raise refused_archive(path, f"holds the name {entry.path[:80]!r} twice. Make it anew")
        files.add(name)
        steps = name.split("/")
        folders.update("/".join(steps[:number]) for number in range(1, len(steps)))
    if files & folders:
        name = min(files & folders)
        raise refused_archive(path, f"holds the name {name[:80]!r} as a file and as a folder. Make it anew")


def refused_archive(path: str, problem: str) -> TrainingError:
    """The error about an archive. problem: follows the archive's name. It ends in the cure, without a full stop."""
    return TrainingError("layout_unsupported", f"{printable(f'{path} {problem}')}, or post the unpacked folder.")
