"""The journal as a file: whether it is there, is ours and is whole, who holds it, and how its tables came to be.

Beside the journal lies a lock file. It keeps a second broker out, and once a journal has been made it says so: a
journal that has vanished since must not be mistaken for one that has never been.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import msgspec

from protocol.task import ENDED_STATES

#: Numbered migrations: entry n brings a file from version n to n + 1. Never change one that was released.
MIGRATIONS = (
    """
    CREATE TABLE facts (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at_s REAL NOT NULL,
        task_id TEXT NOT NULL,
        fact TEXT NOT NULL
    );
    CREATE INDEX facts_by_task ON facts (task_id);
    CREATE TABLE tasks (
        task_id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        state TEXT NOT NULL,
        request_key TEXT NOT NULL,
        submitted_at_s REAL NOT NULL,
        ended_at_s REAL NOT NULL,
        task TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX tasks_by_state ON tasks (state, ended_at_s);
    CREATE INDEX tasks_by_key ON tasks (submitted_at_s) WHERE request_key != '';
    """,
)

MADE = b"A journal has been made beside this file; no broker starts without it.\n"
#: SQLite's codes for a file that is damaged, and for one that is no database.
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
CURES = (
    "Bring a backup back with 'python server.py restore FILE', "
    "or begin with an empty journal: 'python server.py start --new-journal' (what is there now is set aside)."
)
_ENDED_STATES = tuple(state.value for state in ENDED_STATES)


class JournalError(Exception):
    """The journal cannot be used now; waiting may help, as where another broker holds it or the disk is full."""


class BrokenJournalError(JournalError):
    """The journal cannot be used until a person has done something; the message says what.

    finding: what is the matter, without the cure, which is another one where the file is a backup.
    """

    def __init__(self, finding: str, cure: str = "") -> None:
        super().__init__(f"{finding} {cure}" if cure else finding)
        self.finding = finding


class JournalContents(msgspec.Struct, frozen=True):
    """What a sound journal holds. live: tasks that wait or are being trained."""

    version: int
    tasks: int
    live: int

    def __str__(self) -> str:
        return f"{self.tasks} tasks, of which {self.live} have not ended"


def is_blank(path: Path) -> bool:
    """Whether there is no journal, or one that nothing has been written to yet."""
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def hold_lock(path: Path) -> int:
    """Take the journal at `path` for this process; the descriptor of the lock. JournalError while another has it."""
    lock = lock_path(path)
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise JournalError(
            f"Another broker is using the journal ({lock} is locked); stop it first, or set [broker] journal."
        ) from error
    return fd


def note_made(lock_fd: int) -> None:
    """Remember in the lock file that a journal has been made."""
    if os.fstat(lock_fd).st_size == 0:
        os.pwrite(lock_fd, MADE, 0)
        os.fsync(lock_fd)


def refuse_vanished(path: Path) -> None:
    """BrokenJournalError where a journal has been made at `path` and is gone or empty now."""
    try:
        was_made = lock_path(path).stat().st_size > 0
    except FileNotFoundError:
        was_made = False
    if was_made and is_blank(path):
        raise BrokenJournalError(f"The journal {path} has vanished; all tasks were in it.", CURES)


def open_journal(path: Path) -> sqlite3.Connection:
    """For the one writer, with its tables up to date; made where there is none.

    Raises BrokenJournalError where the file is not ours or is damaged, sqlite3.Error where it cannot be used now.
    """
    if is_blank(path):
        # Readable by its owner only; SQLite gives the files beside it the same rights.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    # isolation_level=None: transactions begin and end where the code says so.
    db = sqlite3.connect(path, isolation_level=None)
    try:
        _refuse_foreign(db, path, may_be_empty=True)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.Error as error:
        db.close()
        if is_damage(error):
            raise damaged(path, str(error)) from error
        raise
    except BrokenJournalError:
        db.close()
        raise
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """For reading beside a running broker; sqlite3.Error where there is no file."""
    # as_uri() writes the characters that mean something in a URI as %XX.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def examine(path: Path, check: str = "quick_check") -> JournalContents:
    """Read the file at `path` from end to end. BrokenJournalError where it is not a sound journal.

    check: SQLite's `quick_check`, or `integrity_check`, which compares the indexes as well and takes much longer.
    """
    refuse_unreadable(path)
    try:
        with closing(open_to_read(path)) as db:
            version = _refuse_foreign(db, path)
            (finding,) = db.execute(f"PRAGMA {check}(1)").fetchone()
            if finding != "ok":
                raise damaged(path, finding)
            (tasks,) = db.execute("SELECT count(*) FROM tasks").fetchone()
            marks = ", ".join("?" * len(_ENDED_STATES))
            (live,) = db.execute(f"SELECT count(*) FROM tasks WHERE state NOT IN ({marks})", _ENDED_STATES).fetchone()
    except sqlite3.Error as error:
        if is_damage(error):
            raise damaged(path, str(error)) from error
        raise JournalError(f"Cannot read the journal {path}: {error}.") from error
    return JournalContents(version, tasks, live)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, and not the moment: a full disk or a lock passes."""
    # The low byte is the code, the others say more precisely where.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE_CODES


def damaged(path: Path, finding: str) -> BrokenJournalError:
    return BrokenJournalError(f"{path} is damaged or is no SQLite file ({finding}).", CURES)


def refuse_unreadable(path: Path) -> None:
    """BrokenJournalError where `path` is something else than a file, or one that this user may not read and write."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise BrokenJournalError(f"Cannot look at {path}: {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise BrokenJournalError(f"{path} is {kind}.", "Move it away, or name a file in [broker] journal.")
    if not os.access(path, os.R_OK):
        raise BrokenJournalError(
            f"User {os.geteuid()} may not read {path}.", "Start TFModel as the user that it belongs to."
        )


def _refuse_foreign(db: sqlite3.Connection, path: Path, may_be_empty: bool = False) -> int:
    """The version of the file; BrokenJournalError where it is of a newer release or another program's."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise BrokenJournalError(
            f"{path} is of a newer release (version {version}, this one reads {len(MIGRATIONS)}).",
            "Run that release, or bring back a backup of this one with 'python server.py restore FILE'.",
        )
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if version == 0 and not tables and may_be_empty:
        return 0
    if version < 1 or not {"facts", "tasks"} <= tables:
        raise BrokenJournalError(
            f"{path} is not a journal of TFModel.", f"{CURES} Or name another file in [broker] journal."
        )
    return version
