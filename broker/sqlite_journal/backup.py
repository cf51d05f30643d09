"""Back up the journal while a broker runs, restore a backup, and set an unusable journal aside.

SQLite's backup interface copies everything that has been committed, including what is still in the write-ahead log (the
file that ends in `-wal`). A plain copy of the journal's file would lack that part.
"""

from __future__ import annotations

import datetime
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from broker.journal import BrokenJournalError, JournalContents, JournalError
from broker.sqlite_journal.file import (
    examine,
    hold_lock,
    is_blank,
    is_damage,
    note_made,
    open_to_read,
    refuse_damaged_log,
)
from conf.folder_sync import make_folders, sync_folder

#: A copy has this name until it is complete and checked.
UNFINISHED = ".tfmodel-{pid}.unfinished"
UNFINISHED_PATTERN = ".tfmodel-*.unfinished"
#: The endings of the files that SQLite keeps beside a journal in use.
COMPANIONS = ("-wal", "-shm")


def back_up(journal: Path, target: Path, overwrite: bool) -> JournalContents:
    """Copy the journal to `target`, readable by its owner only (0600), and check the copy.

    `target` appears only when it is complete. A running broker is not held up. Raises JournalError if no backup could
    be written.
    """
    if is_blank(journal):
        raise JournalError(f"There is no journal at {journal}, so nothing was backed up; see [broker] journal.")
    if _same_place(journal, target):
        raise JournalError(f"{target} is the journal itself or one of its companion files; choose another name.")
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or a pipe"
        raise JournalError(f"{target} is {kind}; name a file to write the backup to.")
    if os.path.lexists(target) and not overwrite:
        raise JournalError(f"{target} exists already; choose another name, or overwrite it with --force.")
    refuse_damaged_log(journal)
    try:
        with _unfinished(target.parent) as copy:
            contents = _copy(journal, copy)
            copy.replace(target)
            sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"No backup was written to {target}: {error}.") from error
    return contents


def restore(backup: Path, journal: Path) -> tuple[JournalContents, Path | None]:
    """Replace the journal by `backup`. Returns the content of the backup, and where the old journal was moved to.

    Raises JournalError if a broker is using the journal or the backup is not sound. Nothing has changed then.
    """
    if not backup.exists():
        raise JournalError(f"There is no file {backup}; name a backup.")
    if _same_place(journal, backup):
        raise JournalError(f"{backup} is the journal itself; name a backup of it.")
    try:
        contents = examine(backup)
    except BrokenJournalError as error:
        raise JournalError(f"Nothing was restored: {error.finding} Name another backup.") from error
    try:
        make_folders(journal.parent, 0o700)
        with _held(journal) as lock_fd, _unfinished(journal.parent) as copy:
            _copy(backup, copy)
            aside = _set_aside(journal)
            copy.replace(journal)
            sync_folder(journal.parent)
            note_made(lock_fd)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"The journal {journal} could not be restored: {error}.") from error
    return contents, aside


def begin_anew(journal: Path) -> Path | None:
    """Let the next broker create an empty journal. Returns where a damaged journal was moved to.

    Raises JournalError if a broker is using the journal, or if it is sound: an option on a command line must not be
    enough to lose a working journal.
    """
    try:
        make_folders(journal.parent, 0o700)
        with _held(journal) as lock_fd:
            if not is_blank(journal) and (contents := _contents_if_sound(journal)) is not None:
                raise JournalError(
                    f"The journal {journal} is sound ({contents}), so it is kept; "
                    "start without --new-journal, or move it away first."
                )
            aside = _set_aside(journal)
            os.ftruncate(lock_fd, 0)
    except OSError as error:
        raise JournalError(f"No new journal can be made at {journal}: {error}.") from error
    return aside


def _contents_if_sound(journal: Path) -> JournalContents | None:
    try:
        return examine(journal)
    except BrokenJournalError:
        return None


def _copy(source: Path, copy: Path) -> JournalContents:
    """Copy `source` to the empty file `copy`, sync the copy and check it."""
    try:
        with closing(open_to_read(source)) as db, closing(sqlite3.connect(copy, isolation_level=None)) as target:
            db.backup(target)
            # This mode keeps the copy in one file. A broker that opens it turns the write-ahead log on again.
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if is_damage(error):
            raise JournalError(f"{source} is damaged ({error}) and was not copied.") from error
        raise
    try:
        contents = examine(copy)
    except BrokenJournalError as error:
        raise JournalError(
            f"{source} was copied, but the copy is not sound and was removed. {error.finding}"
        ) from error
    fd = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return contents


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Create an empty file (0600) in `folder`, and remove it at the end unless it has been renamed.

    A killed process leaves its file behind, and the next call for the same folder removes it. A file that is still in
    use is locked.
    """
    for old in folder.glob(UNFINISHED_PATTERN):
        with suppress(OSError):
            _remove_abandoned(old)
    path = folder / UNFINISHED.format(pid=os.getpid())
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield path
    finally:
        path.unlink(missing_ok=True)
        for companion in ("-journal", *COMPANIONS):
            path.with_name(path.name + companion).unlink(missing_ok=True)
        os.close(fd)


def _remove_abandoned(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
        for companion in ("-journal", *COMPANIONS):
            path.with_name(path.name + companion).unlink(missing_ok=True)
    finally:
        os.close(fd)


@contextmanager
def _held(journal: Path) -> Iterator[int]:
    fd = hold_lock(journal)
    try:
        yield fd
    finally:
        os.close(fd)


def _set_aside(journal: Path) -> Path | None:
    """Rename the journal and its companions. Returns the new path of the journal, or None if there is none.

    The journal is renamed first. If the process ends in between, the write-ahead log is left alone, which is harmless.
    A journal without its log would lack the last commits. Companions without a journal are deleted, because SQLite
    would apply them to the next journal of that name.
    """
    aside = None
    if journal.exists():
        now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
        aside = journal.with_name(f"{journal.name}.until-{now}")
        journal.rename(aside)
    for companion in COMPANIONS:
        left = journal.with_name(journal.name + companion)
        if aside is None:
            left.unlink(missing_ok=True)
        elif left.exists():
            left.rename(aside.with_name(aside.name + companion))
    sync_folder(journal.parent)
    return aside


def _same_place(journal: Path, other: Path) -> bool:
    """Whether `other` is the journal, one of its companions or its lock."""
    names = [journal.name, *(journal.name + ending for ending in (*COMPANIONS, "-journal", ".lock"))]
    return any(other.resolve() == journal.with_name(name).resolve() for name in names)
