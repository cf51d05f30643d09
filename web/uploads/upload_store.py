"""The SQLite file of the uploads: those on their way, and what was stored, so that duplicates are known by their hash.

What is on its way lies in files of its own (upload_folders.py), whose sizes say how much has arrived. This file is
written without waiting for the disk: after a power cut an upload may have to begin anew, and a duplicate may be stored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from web.api.uploads import UploadState
from web.state_file import open_state_file, row_checksum

log = logging.getLogger("web")

#: Entry n converts a file of version n to version n + 1. Never change one that was released.
MIGRATIONS = (
    """
    CREATE TABLE uploads (
        upload_id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        project_id TEXT NOT NULL,
        label TEXT NOT NULL,
        name TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        state TEXT NOT NULL,
        picture TEXT NOT NULL,
        touched_at_s REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX uploads_by_content ON uploads (user_id, project_id, label, sha256);
    CREATE INDEX uploads_on_their_way ON uploads (touched_at_s) WHERE state != 'stored';
    """,
    """
    ALTER TABLE uploads ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE uploads SET checksum = row_checksum(
        upload_id, user_id, project_id, label, name, size_bytes, sha256, state, picture, touched_at_s
    );
    """,
)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """label, name: as parts of a path. sha256: "" if it is not known yet.

    picture: where it lies in the project; for a duplicate, where the other one lies.
    """

    upload_id: str
    user_id: str
    project_id: str
    label: str
    name: str
    size_bytes: int
    sha256: str
    state: UploadState = "open"
    picture: str = ""
    touched_at_s: float


class Total(NamedTuple):
    """How many pictures there are, and how many bytes they have together."""

    pictures: int
    size_bytes: int


#: SQLite uses the index uploads_on_their_way only for a query that repeats its condition.
_NOT_STORED = "state != 'stored'"
_COLUMNS = ", ".join(Upload.__struct_fields__)


class UploadStore:
    """Raises sqlite3.Error if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._db = open_state_file(path, MIGRATIONS)

    def close(self) -> None:
        self._db.close()

    def save(self, upload: Upload) -> None:
        """Note the upload, in place of what was noted of it before."""
        row = msgspec.structs.astuple(upload)
        places = ", ".join("?" * (len(row) + 1))
        self._db.execute(
            f"INSERT OR REPLACE INTO uploads ({_COLUMNS}, checksum) VALUES ({places})", (*row, row_checksum(*row))
        )

    def remove(self, upload_id: str) -> None:
        self._db.execute("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))

    def get(self, upload_id: str) -> Upload | None:
        return next(self._found("upload_id = ?", upload_id), None)

    def same_content(self, like: Upload) -> list[Upload]:
        """The uploads into the same class with the same SHA-256, stored or open."""
        where = "user_id = ? AND project_id = ? AND label = ? AND sha256 = ? AND state != 'duplicate'"
        return list(self._found(where, like.user_id, like.project_id, like.label, like.sha256))

    def stored(self, user_id: str, project_id: str) -> list[Upload]:
        return list(self._found("user_id = ? AND project_id = ? AND state = 'stored'", user_id, project_id))

    def open_ones(self) -> list[Upload]:
        """All uploads on their way, the one that was silent longest first."""
        return list(self._found(f"{_NOT_STORED} AND state = 'open' ORDER BY touched_at_s"))

    def forget_duplicates(self, before_s: float) -> None:
        """Forget the uploads that ended as duplicates before this time."""
        self._db.execute(
            f"DELETE FROM uploads WHERE {_NOT_STORED} AND state = 'duplicate' AND touched_at_s < ?", (before_s,)
        )

    def total(self, user_id: str, project_id: str) -> Total:
        """The stored and the open uploads of a project."""
        row = self._db.execute(
            "SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM uploads "
            "WHERE user_id = ? AND project_id = ? AND state != 'duplicate'",
            (user_id, project_id),
        ).fetchone()
        return Total(*row)

    def _found(self, where: str, *values: str) -> Iterator[Upload]:
        rows = self._db.execute(f"SELECT {_COLUMNS}, checksum FROM uploads WHERE {where}", values).fetchall()
        for *row, checksum in rows:
            if row_checksum(*row) == checksum:
                yield Upload(**dict(zip(Upload.__struct_fields__, row, strict=True)))
            else:
                log.error("action=upload.forgotten upload=%r reason='its record is damaged'", row[0])
                self._db.execute("DELETE FROM uploads WHERE upload_id = ?", (row[0],))
