"""Reads and changes corrections.csv of a project in object storage. Runs in a thread.

Other front-ends may change the same object. It is put on the condition that it still is the one that was read, so no
change is lost.
"""

from __future__ import annotations

from typing import NamedTuple

from protocol.corrections import CORRECTIONS_FILE, MOST_CORRECTIONS_BYTES, CorrectionsError, CorrectionsTable
from storage.errors import ConflictError, MissingObjectError
from web.folders.folders import Changes
from web.folders.object_stores import StoredPlace

#: How often a change is tried again because somebody else has changed the object meanwhile.
TRIES = 8


class _Version(NamedTuple):
    """The table as it is stored. etag: of its object; "" if there is none."""

    table: CorrectionsTable
    etag: str


def read_table(project: StoredPlace) -> CorrectionsTable:
    """The rows of the object; an empty table if there is none. Raises CorrectionsError and StorageError."""
    return _read(project).table


def change_table(project: StoredPlace, changes: Changes) -> CorrectionsTable:
    """The object is replaced as a whole. Raises CorrectionsError, StorageError, and OSError if others are faster."""
    name = project.file(CORRECTIONS_FILE)
    for _ in range(TRIES):
        before = _read(project)
        table = before.table.changed(changes)
        content = table.encoded()
        if not content and not before.etag:
            return table
        try:
            # Storage has no conditional delete. So an object without rows stays, which means the same as no object.
            project.store.put(name, content, if_absent=not before.etag, if_etag=before.etag)
            return table
        except ConflictError:
            continue
    raise OSError(None, "it is being changed by others all the time")


def _read(project: StoredPlace) -> _Version:
    name = project.file(CORRECTIONS_FILE)
    for _ in range(TRIES):
        info = project.store.status(name)
        if info is None:
            return _Version(CorrectionsTable(), "")
        if info.size_bytes > MOST_CORRECTIONS_BYTES:
            raise CorrectionsError(f"it is larger than {MOST_CORRECTIONS_BYTES // 1024**2} MB")
        try:
            return _Version(CorrectionsTable.read(project.store.get(name, etag=info.etag)), info.etag)
        except (ConflictError, MissingObjectError):
            continue
    raise OSError(None, "it is being changed by others all the time")
