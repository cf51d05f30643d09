"""Finds the settings of a PostgreSQL server with which it may lose what it has acknowledged."""

from __future__ import annotations

from collections.abc import Iterator

from broker.postgres_journal.connection import Connection

DANGERS = {
    "fsync": "The PostgreSQL server has fsync = off, so a power loss may lose or damage the journal; set it to on.",
    "full_page_writes": (
        "The PostgreSQL server has full_page_writes = off, so a power loss may damage the journal; set it to on."
    ),
    "data_checksums": (
        "The PostgreSQL server has no data checksums, so it would not notice a flipped bit; stop it and run "
        "'pg_checksums --enable'."
    ),
}


def concerns(connection: Connection) -> Iterator[str]:
    """A sentence for each dangerous setting, which says what to do."""
    rows = connection.execute(
        "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off' ORDER BY name", [list(DANGERS)]
    ).fetchall()
    yield from (DANGERS[name] for (name,) in rows)
