"""Copies of the journal: a backup made beside a running broker, and a backup brought back.

SQLite's backup interface copies what has been committed, also what still lies in the write-ahead log (the file that
ends in `-wal`). Copying the journal's file alone loses that part.
"""

from __future__ import annotations

import datetime
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from broker.journal_file import (
    BrokenJournalError,
    JournalContents,
    JournalError,
    examine,
    hold_lock,
    is_blank,
    is_damage,
    note_made,
    open_to_read,
)

#: A copy is made under such a name and gets its own when it is complete and checked.
UNFINISHED = ".tfmodel-{pid}.unfinished"
UNFINISHED_PATTERN = ".tfmodel-*.unfinished"
#: What SQLite keeps beside a journal in use.
COMPANIONS = ("-wal", "-shm")


def back_up(journal: Path, target: Path, overwrite: bool) -> JournalContents:
    """Copy the journal to `target`, for its owner only (0600), and check the copy. JournalError says why not.

    `target` appears complete or not at all. A broker that is at work is not held up.
    """
    if is_blank(journal):
        raise JournalError(f"There is no journal at {journal}, so nothing was backed up; see [broker] journal.")
    if _same_place(journal, target):
        raise JournalError(f"{target} is the journal itself or lies beside it under its name; choose another name.")
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or a pipe"
        raise JournalError(f"{target} is {kind}; name the file that is to be written.")
    if os.path.lexists(target) and not overwrite:
        raise JournalError(f"{target} is there already; choose another name, or overwrite it with --force.")
    try:
        with _unfinished(target.parent) as copy:
            contents = _copy(journal, copy)
            copy.replace(target)
            _sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"No backup was written to {target}: {error}.") from error
    return contents


def restore(backup: Path, journal: Path) -> tuple[JournalContents, Path | None]:
    """Put `backup` in the journal's place. Returns what it holds, and where the present journal was set aside.

    JournalError where a broker uses the journal, or where the backup is not sound; then nothing has changed.
    """
    if not backup.exists():
        raise JournalError(f"There is no file {backup}.")
    if _same_place(journal, backup):
        raise JournalError(f"{backup} is the journal itself; name a backup of it.")
    try:
        contents = examine(backup, "integrity_check")
    except BrokenJournalError as error:
        raise JournalError(f"Nothing was restored: {error.finding} Name another backup.") from error
    try:
        journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _held(journal) as lock_fd, _unfinished(journal.parent) as copy:
            _copy(backup, copy)
            aside = _set_aside(journal)
            copy.replace(journal)
            _sync_folder(journal.parent)
            note_made(lock_fd)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"The journal {journal} could not be restored: {error}.") from error
    return contents, aside


def begin_anew(journal: Path) -> Path | None:
    """Let the next broker make an empty journal; returns where a damaged one was set aside.

    JournalError where a broker uses the journal, or where it is sound: it is not given up by a word on a command line.
    """
    try:
        journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
    """Write what `source` holds to the empty file `copy`, sync it and check it."""
    try:
        with closing(open_to_read(source)) as db, closing(sqlite3.connect(copy, isolation_level=None)) as target:
            db.backup(target)
            # In this mode the copy is one file; a broker that opens it turns the write-ahead log on again.
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if is_damage(error):
            raise JournalError(f"{source} is damaged ({error}) and was not copied.") from error
        raise
    try:
        contents = examine(copy, "integrity_check")
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
    """An empty file (0600) in `folder`, removed again unless it has been renamed.

    A killed process leaves its file behind; whoever makes the next one there removes it. The lock tells them apart.
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
    """Give the journal and its companions another name; None where there is no journal.

    The journal goes first: a write-ahead log without its journal is harmless, a journal without its log has lost
    what was committed last. Companions that are left over must not meet the next journal of the name.
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
    _sync_folder(journal.parent)
    return aside


def _same_place(journal: Path, other: Path) -> bool:
    """Whether writing or reading `other` would touch the journal, its companions or its lock."""
    names = [journal.name, *(journal.name + ending for ending in (*COMPANIONS, "-journal", ".lock"))]
    return any(other.resolve() == journal.with_name(name).resolve() for name in names)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
