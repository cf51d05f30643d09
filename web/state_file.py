"""Opens the SQLite files in which the front-end notes what is on its way.

They are written without waiting for the disk (synchronous=NORMAL): a power cut may take the last notes, but it does not
damage a file. SQLite's pages have no checksum, so rows have one (`row_checksum`), and a damaged index is found when the
file is opened.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path

from conf.folder_sync import make_folders

#: How long a statement waits while another front-end writes.
BUSY_TIMEOUT_S = 5.0


def row_checksum(*values: object) -> int:
    """The checksum of the values of a row, by which a flipped bit is found. SQL has it as a function, too."""
    # SQLite gives a whole number back as a float, if the column is one of floats.
    plain = [float(value) if isinstance(value, int) else value for value in values]
    return zlib.crc32(repr(plain).encode("utf-8", "surrogateescape"))


def open_state_file(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open the file, create it if it is missing, and convert one of an earlier release.

    migrations: entry n is a script that converts a file of version n to version n + 1. Raises sqlite3.Error.
    """
    if not path.exists():
        make_folders(path.parent, 0o700)
        # Only its owner may read it. SQLite gives its companions the same mode.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    # A flipped bit may leave a text that is not UTF-8. The checksum of its row finds it.
    db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.create_function("row_checksum", -1, row_checksum, deterministic=True)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise sqlite3.DatabaseError(f"{path} was written by a newer release")
        for number, script in enumerate(migrations[version:], start=version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
        (finding,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if finding != "ok":
            raise sqlite3.DatabaseError(f"{path} is damaged ({finding}); stop the service and delete the file")
    except UnicodeDecodeError as error:  # in a message of SQLite about a damaged table
        db.close()
        raise sqlite3.DatabaseError(f"{path} is damaged; stop the service and delete the file") from error
    except sqlite3.Error:
        db.close()
        raise
    return db
