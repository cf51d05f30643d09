"""The one row that says which broker leads. Each commit compares the term in it with its own (hold_term)."""

from __future__ import annotations

import os
import platform

from broker.journal import Leader
from broker.postgres_journal.connection import Connection, Place

#: How long the session with which the earlier leader wrote may take to end.
END_LIMIT_MS = 4000
_HALF = 0xFFFFFFFF


def end_writer_before(connection: Connection) -> None:
    """End the session with which the leader before wrote, if it is still there.

    That broker may have been stopped in the middle of a commit, whose locks would keep us from beginning.
    """
    if _has_row(connection):
        connection.execute(
            "SELECT pg_terminate_backend(session.pid, %s) FROM pg_stat_activity AS session JOIN leader "
            "ON session.pid = leader.backend AND session.backend_start = leader.backend_start",
            [END_LIMIT_MS],
        )


def begin_term(connection: Connection) -> int:
    """Raise the term for this process, which has the lock, and writes with this connection. Returns the new term."""
    row = connection.execute(
        "UPDATE leader SET term = term + 1, host = %s, pid = %s, since = now(), backend = session.pid, "
        "backend_start = session.backend_start FROM pg_stat_activity AS session WHERE session.pid = pg_backend_pid() "
        "RETURNING term",
        [platform.node(), os.getpid()],
    ).fetchone()
    assert row is not None
    return int(row[0])


def leader_of(connection: Connection, place: Place) -> Leader | None:
    """Who leads, or who led last. None if no broker ever did."""
    if not _has_row(connection):
        return None
    row = connection.execute(
        "SELECT term, host, pid, extract(epoch FROM since)::float8, EXISTS (SELECT FROM pg_locks WHERE granted "
        "AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND classid = %s::bigint::oid AND objid = %s::bigint::oid AND objsubid = 1) FROM leader WHERE term > 0",
        [place.lock_key >> 32 & _HALF, place.lock_key & _HALF],
    ).fetchone()
    return Leader(*row) if row is not None else None


def _has_row(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass('leader') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])
