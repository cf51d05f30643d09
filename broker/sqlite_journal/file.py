"""The file of the journal: does it exist, is it ours, is it damaged, who uses it, and which tables does it have?

A lock file lies beside the journal. It keeps a second broker out. It also records that a journal has been created, so
that a journal that has vanished is not mistaken for a first start.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from broker.journal import BrokenJournalError, JournalContents, JournalError
from broker.journal_seal import sealed
from broker.sqlite_journal.wal import DamagedWalError, look_for_damage
from conf.machine import running_system
from protocol.task import ENDED_STATES

#: Entry n of the migrations converts a file of version n to version n + 1. Never change one that was released.
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
    # The numbers of facts have no gaps but those of deleted facts. So the highest gap shows what was deleted before.
    """
    CREATE TABLE pruned (up_to INTEGER NOT NULL);
    INSERT INTO pruned SELECT CASE
        WHEN last > (SELECT coalesce(max(seq), 0) FROM facts) THEN last
        ELSE (
            SELECT coalesce(max(later.seq) - 1, 0) FROM facts AS later LEFT JOIN facts AS earlier
            ON earlier.seq = later.seq - 1 WHERE earlier.seq IS NULL AND later.seq > 1
        )
    END FROM (SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'facts'), 0) AS last);

    ALTER TABLE tasks ADD COLUMN train_type TEXT NOT NULL DEFAULT '';
    ALTER TABLE tasks ADD COLUMN retry_of TEXT NOT NULL DEFAULT '';
    -- A record that is not JSON is left out of lists in any case.
    UPDATE tasks SET
        train_type = coalesce(json_extract(task, '$.spec.train_type'), ''),
        retry_of = coalesce(json_extract(task, '$.spec.retry_of'), '')
    WHERE json_valid(task);
    DROP INDEX tasks_by_state;
    CREATE INDEX tasks_by_end
    ON tasks (state, ended_at_s, submitted_at_s, task_id, user_id, project_id, train_type);
    CREATE INDEX tasks_by_time
    ON tasks (state, submitted_at_s, task_id, user_id, project_id, train_type, ended_at_s);
    CREATE INDEX tasks_by_user
    ON tasks (user_id, state, submitted_at_s, task_id, project_id, train_type, ended_at_s);
    CREATE INDEX tasks_by_retry
    ON tasks (retry_of, state, submitted_at_s, task_id, user_id, project_id, train_type, ended_at_s)
    WHERE retry_of != '';
    CREATE TABLE task_metadata (
        task_id TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        user_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        state TEXT NOT NULL,
        submitted_at_s REAL NOT NULL,
        ended_at_s REAL NOT NULL,
        train_type TEXT NOT NULL,
        PRIMARY KEY (task_id, name)
    ) WITHOUT ROWID;
    CREATE INDEX metadata_by_value ON task_metadata
    (name, value, state, submitted_at_s, task_id, user_id, project_id, train_type, ended_at_s);
    INSERT INTO task_metadata
    SELECT task_id, given.key, given.value, user_id, project_id, state, submitted_at_s, ended_at_s, train_type
    FROM (SELECT * FROM tasks WHERE json_valid(task)) AS t, json_each(t.task, '$.spec.metadata') AS given;
    """,
    """
    CREATE INDEX tasks_by_project
    ON tasks (project_id, state, submitted_at_s, task_id, user_id, train_type, ended_at_s);
    """,
    # When the model of a task last came into use, see Task.in_use_since_s. Until now only the gate decided that.
    """
    ALTER TABLE tasks ADD COLUMN in_use_since_s REAL NOT NULL DEFAULT 0;
    UPDATE tasks SET in_use_since_s = ended_at_s
    WHERE state = 'done' AND json_valid(task) AND json_extract(task, '$.trained') IS NOT NULL
    AND coalesce(json_extract(task, '$.trained.comparison.promoted'), 1);
    CREATE INDEX tasks_in_use ON tasks (user_id, project_id, in_use_since_s, task_id, submitted_at_s, ended_at_s)
    WHERE in_use_since_s > 0;
    """,
    # Each fact and each task gets the seal of journal_seal.py. A text that is not UTF-8 must not stop the others.
    """
    UPDATE facts SET fact = CAST(sealed(CAST(fact AS BLOB), seq || ' ' || as_float(at_s) || ' ' || task_id) AS TEXT);
    UPDATE tasks SET task = CAST(sealed(CAST(task AS BLOB), task_id) AS TEXT);
    """,
)

MADE = b"A journal has been created beside this file. No broker starts without it.\n"
#: SQLite's codes for a damaged file, and for a file that is not a database.
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
CURES = (
    "Restore a backup with 'python server.py restore FILE', or start with an empty journal with "
    "'python server.py start --new-journal' (the present files are kept under another name)."
)
_ENDED_STATES = tuple(state.value for state in ENDED_STATES)


def is_blank(path: Path) -> bool:
    """Whether there is no journal, or an empty file."""
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def hold_lock(path: Path) -> int:
    """Lock the journal at `path` for this process. Returns the descriptor of the lock.

    Raises JournalError if another process has the lock.
    """
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
    """Record in the lock file that a journal has been created, and in which run of the machine it is used."""
    if os.fstat(lock_fd).st_size == 0:
        os.pwrite(lock_fd, MADE, 0)
        os.fsync(lock_fd)
    os.pwrite(lock_fd, _this_run(), len(MADE))


def is_of_this_run(lock_fd: int) -> bool:
    """Whether the machine has run all the time since a broker has last used the journal."""
    return os.pread(lock_fd, len(_this_run()), len(MADE)) == _this_run()


def _this_run() -> bytes:
    return f"{running_system()}\n".encode()


def refuse_vanished(path: Path) -> None:
    """Raise BrokenJournalError if a journal was created at `path` and is now missing or empty."""
    try:
        was_made = lock_path(path).stat().st_size > 0
    except FileNotFoundError:
        was_made = False
    if was_made and is_blank(path):
        raise BrokenJournalError(f"The journal {path} has vanished. It held all tasks.", CURES)


def open_journal(path: Path, is_of_this_run: bool = False) -> sqlite3.Connection:
    """Open the journal for its only writer. Creates the file if there is none, and migrates its tables.

    is_of_this_run: whether the machine has run all the time since the journal was last used.
    Raises BrokenJournalError if the file is not a journal or is damaged, and sqlite3.Error if it cannot be used now.
    """
    if is_blank(path):
        # Only its owner may read it. SQLite gives its companions the same mode.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        look_for_damage(path, is_of_this_run)
    except DamagedWalError as error:
        raise BrokenJournalError(f"{path}-wal {error}.", CURES) from error
    # isolation_level=None: Python's driver must not begin transactions by itself.
    db = sqlite3.connect(path, isolation_level=None)
    db.text_factory = readable
    try:
        _refuse_foreign(db, path, may_be_empty=True)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.create_function("sealed", 2, sealed, deterministic=True)
        db.create_function("as_float", 1, lambda number: repr(float(number)), deterministic=True)
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
    except UnicodeDecodeError as error:
        db.close()
        raise damaged(path, "its tables have names that are no text") from error
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
    """Open the journal for reading, also while a broker runs. Raises sqlite3.Error if there is no file."""
    # as_uri() escapes the characters that have a meaning in a URI.
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.text_factory = readable
    return db


def readable(text: bytes) -> str:
    """A text of the file. A flipped bit may leave one that is not UTF-8, and only its own row may suffer from that."""
    return text.decode("utf-8", "surrogateescape")


def refuse_damaged_log(path: Path) -> None:
    """Raise BrokenJournalError if the write-ahead log of a journal that nobody is using is damaged."""
    if not path.exists():
        return
    try:
        lock_fd = hold_lock(path)
    except (JournalError, OSError):
        return  # A broker is using it, or only a process with more rights can.
    try:
        look_for_damage(path, is_of_this_run(lock_fd))
    except DamagedWalError as error:
        raise BrokenJournalError(f"{path}-wal {error}.", CURES) from error
    finally:
        os.close(lock_fd)


def examine(path: Path) -> JournalContents:
    """Read the whole file at `path`, with its indexes. Raises BrokenJournalError if it is not a sound journal."""
    refuse_unreadable(path)
    try:
        with closing(open_to_read(path)) as db:
            version = _refuse_foreign(db, path)
            (finding,) = db.execute("PRAGMA integrity_check(1)").fetchone()
            if finding != "ok":
                raise damaged(path, finding)
            (tasks,) = db.execute("SELECT count(*) FROM tasks").fetchone()
            marks = ", ".join("?" * len(_ENDED_STATES))
            (live,) = db.execute(f"SELECT count(*) FROM tasks WHERE state NOT IN ({marks})", _ENDED_STATES).fetchone()
    except UnicodeDecodeError as error:  # in a message of SQLite about a damaged table
        raise damaged(path, "its tables have names that are no text") from error
    except sqlite3.Error as error:
        if is_damage(error):
            raise damaged(path, str(error)) from error
        raise JournalError(f"Cannot read the journal {path}: {error}.") from error
    return JournalContents(version, tasks, live)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged. Other errors may pass, such as a full disk or a lock."""
    # The low byte is the primary code. The other bytes are details.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE_CODES


def damaged(path: Path, finding: str) -> BrokenJournalError:
    return BrokenJournalError(f"{path} is damaged or is no SQLite file ({finding}).", CURES)


def failure(path: Path, error: sqlite3.Error) -> JournalError:
    """The error for the rest of the broker, to be raised in place of SQLite's.

    It says that a person must help only if the file is not sound. A damaged page in memory passes with the process.
    """
    if is_damage(error):
        try:
            examine(path)
        except BrokenJournalError as broken:
            return broken
        except JournalError:
            pass  # The file cannot be read now. The next start checks it again.
    return JournalError(f"Cannot use the journal {path}: {error}")


def refuse_unreadable(path: Path) -> None:
    """Raise BrokenJournalError if `path` exists but is not a regular file that this user may read."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise BrokenJournalError(f"Cannot look at {path}: {error.strerror}.") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise BrokenJournalError(f"{path} is {kind}.", "Move it away, or name a file in [broker] journal.")
    if not os.access(path, os.R_OK):
        raise BrokenJournalError(
            f"User {os.geteuid()} may not read {path}.", "Start TFModel as the user that it belongs to."
        )


def _refuse_foreign(db: sqlite3.Connection, path: Path, may_be_empty: bool = False) -> int:
    """Return the version of the file. Raises BrokenJournalError if it is another program's or a newer release's."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise BrokenJournalError(
            f"{path} is of a newer release (version {version}, this one reads {len(MIGRATIONS)}).",
            "Run that release, or restore a backup of this one with 'python server.py restore FILE'.",
        )
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if version == 0 and not tables and may_be_empty:
        return 0
    if version < 1 or not {"facts", "tasks"} <= tables:
        raise BrokenJournalError(
            f"{path} is not a journal of TFModel.", f"{CURES} Or name another file in [broker] journal."
        )
    return version
