"""The SQLite file of the webhooks: how far each destination has been told, and what is still on its way.

The journal of the broker holds the events. This file only notes what has become of them, so it is written without
waiting for the disk (synchronous=NORMAL): what a power cut takes from it is sent once more, under the same id.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from web.state_file import open_state_file, row_checksum
from web.webhooks.delivery import Attempt, Count, Delivery, Look, NewDelivery, Record, Times
from web.webhooks.retries import Outcome

#: Attempts that are kept to be shown.
KEPT_ATTEMPTS = 1000
#: Dead letters that are kept, and for how long.
KEPT_DEAD = 10_000
KEPT_DEAD_S = 30 * 86400.0
#: A destination that has been missing from the settings for this long is new when it comes back.
FORGET_AFTER_S = 7 * 86400.0
MAX_NUMBER = 2**62
DAMAGED = "Its record on the disk is damaged, so it was not sent; read the events of its task instead."

log = logging.getLogger("web")

#: Entry n converts a file of version n to version n + 1. Never change one that was released.
MIGRATIONS = (
    """
    CREATE TABLE destinations (
        destination TEXT PRIMARY KEY,
        handed_over INTEGER NOT NULL,
        seen_at_s REAL NOT NULL,
        last_success_at_s REAL NOT NULL DEFAULT 0.0,
        last_failure_at_s REAL NOT NULL DEFAULT 0.0,
        last_error TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE TABLE deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        webhook_id TEXT NOT NULL UNIQUE,
        destination TEXT NOT NULL,
        lane TEXT NOT NULL,
        url TEXT NOT NULL,
        task_id TEXT NOT NULL,
        event_id INTEGER NOT NULL,
        event_type TEXT NOT NULL,
        event BLOB NOT NULL,
        created_at_s REAL NOT NULL,
        give_up_at_s REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        status INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        dead_at_s REAL,
        try_at_s REAL
    );
    CREATE INDEX deliveries_by_task ON deliveries (destination, task_id, number) WHERE dead_at_s IS NULL;
    CREATE INDEX deliveries_due ON deliveries (lane, try_at_s) WHERE try_at_s IS NOT NULL;
    CREATE INDEX deliveries_dead ON deliveries (number, destination) WHERE dead_at_s IS NOT NULL;
    CREATE TABLE attempts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        webhook_id TEXT NOT NULL,
        destination TEXT NOT NULL,
        task_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        at_s REAL NOT NULL,
        took_s REAL NOT NULL,
        status INTEGER NOT NULL,
        error TEXT NOT NULL
    );
    """,
    """
    ALTER TABLE deliveries ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE deliveries SET checksum = row_checksum(
        webhook_id, destination, lane, url, task_id, event_id, event_type, event, created_at_s
    );
    """,
)
_DELIVERY = ", ".join(Delivery.__struct_fields__)
#: The columns of a delivery that never change, which its checksum covers: from webhook_id to created_at_s.
_FIXED = slice(1, 10)
_ATTEMPT = ", ".join(Attempt.__struct_fields__)
_RECORD = ", ".join(Record.__struct_fields__)


class Store:
    """Every method is one transaction. Raises sqlite3.Error if the file cannot be used.

    try_at_s is the time of the next attempt. It is NULL while an earlier event of the same task is still on its way to
    the same destination, so the order within a task holds however many deliveries are under way.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_state_file(path, MIGRATIONS)

    def close(self) -> None:
        self._db.close()

    # ---- from the journal ----

    def open_destinations(self, destinations: Sequence[str], lanes: Sequence[str], newest: int, now_s: float) -> int:
        """Begin with these destinations and lanes. Returns how many deliveries have lost theirs and become dead.

        A destination that is new begins at fact number `newest`.
        """
        with self._transaction():
            for name in destinations:
                self._db.execute(
                    "INSERT INTO destinations (destination, handed_over, seen_at_s) VALUES (?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET seen_at_s = excluded.seen_at_s",
                    (name, newest, now_s),
                )
            self._db.execute("DELETE FROM destinations WHERE seen_at_s < ?", (now_s - FORGET_AFTER_S,))
            self._db.execute(f"DELETE FROM deliveries WHERE dead_at_s < {now_s - KEPT_DEAD_S}")
            self._mend_times(now_s)
            known = ", ".join("?" * len(lanes))
            gone = self._db.execute(
                "UPDATE deliveries SET dead_at_s = ?, try_at_s = NULL, error = 'Its destination is no longer in the "
                "settings; put it back under [webhooks], restart, and send this again.' "
                f"WHERE dead_at_s IS NULL AND lane NOT IN ({known})",
                (now_s, *lanes),
            )
            return gone.rowcount

    def records(self) -> list[Record]:
        return [Record(*row) for row in self._db.execute(f"SELECT {_RECORD} FROM destinations ORDER BY destination")]

    def hand_over(self, destinations: Sequence[str], new: Sequence[NewDelivery], up_to: int, times: Times) -> None:
        """Take over the events up to fact number `up_to` for these destinations, and the events themselves."""
        with self._transaction():
            for each in new:
                before = self._db.execute(
                    "SELECT 1 FROM deliveries WHERE destination = ? AND task_id = ? AND dead_at_s IS NULL LIMIT 1",
                    (each.destination, each.task_id),
                ).fetchone()
                fixed = (*msgspec.structs.astuple(each), float(times.now_s))
                self._db.execute(
                    "INSERT OR IGNORE INTO deliveries (webhook_id, destination, lane, url, task_id, event_id, "
                    "event_type, event, created_at_s, give_up_at_s, try_at_s, checksum) "
                    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                    (*fixed, times.give_up_at_s, None if before else times.now_s, row_checksum(*fixed)),
                )
            for name in destinations:
                self._db.execute("UPDATE destinations SET handed_over = ? WHERE destination = ?", (up_to, name))

    def _mend_times(self, now_s: float) -> None:
        """Make due what no attempt would come to, because a flipped bit has changed its time.

        That is what would be tried after it is given up, and what waits for an earlier event that is not there.
        """
        self._db.execute(
            "UPDATE deliveries SET try_at_s = ? WHERE dead_at_s IS NULL AND (try_at_s > give_up_at_s OR try_at_s IS "
            "NULL AND number = (SELECT MIN(number) FROM deliveries AS other WHERE other.destination = "
            "deliveries.destination AND other.task_id = deliveries.task_id AND other.dead_at_s IS NULL))",
            (now_s,),
        )

    # ---- attempts ----

    def look(self, most: Mapping[str, int], now_s: float) -> Look:
        """What is due, and when to look again. most: how many deliveries to return of each lane."""
        due: list[Delivery] = []
        damaged: list[Delivery] = []
        next_due_at_s: list[float] = []
        for lane, count in most.items():
            rows = self._db.execute(
                f"SELECT {_DELIVERY}, checksum FROM deliveries WHERE lane = ? AND try_at_s <= ? "
                "ORDER BY try_at_s LIMIT ?",
                (lane, now_s, count),
            )
            for *row, checksum in rows:
                (due if row_checksum(*row[_FIXED]) == checksum else damaged).append(Delivery(*row))
            later = "SELECT MIN(try_at_s) FROM deliveries WHERE lane = ? AND try_at_s > ?"
            next_due_at_s += [at_s for (at_s,) in self._db.execute(later, (lane, now_s)) if at_s is not None]
        if damaged:
            self._set_aside(damaged, now_s)
            next_due_at_s.append(now_s)
        return Look(due, min(next_due_at_s, default=math.inf))

    def _set_aside(self, damaged: Sequence[Delivery], now_s: float) -> None:
        """Make dead letters of deliveries that a flipped bit has changed. They are never sent."""
        with self._transaction():
            for delivery in damaged:
                log.error("action=webhook.damaged number=%s task=%r", delivery.number, delivery.task_id)
                self._db.execute(
                    "UPDATE deliveries SET dead_at_s = ?, try_at_s = NULL, error = ? WHERE number = ?",
                    (now_s, DAMAGED, delivery.number),
                )
                self._release_next(delivery, now_s)

    def note(self, delivery: Delivery, outcome: Outcome, now_s: float, try_again_at_s: float | None) -> None:
        """Record an attempt. try_again_at_s: None if there is no further one."""
        with self._transaction():
            self._note_attempt(delivery, outcome, now_s)
            if outcome.delivered:
                self._db.execute("DELETE FROM deliveries WHERE number = ?", (delivery.number,))
            else:
                self._db.execute(
                    "UPDATE deliveries SET attempts = attempts + 1, status = ?, error = ?, try_at_s = ?, dead_at_s = ? "
                    "WHERE number = ?",
                    (
                        *(outcome.status, outcome.error, try_again_at_s),
                        *(now_s if try_again_at_s is None else None, delivery.number),
                    ),
                )
            if outcome.delivered or try_again_at_s is None:
                self._release_next(delivery, now_s)

    def _note_attempt(self, delivery: Delivery, outcome: Outcome, now_s: float) -> None:
        row = (delivery.webhook_id, delivery.destination, delivery.task_id, delivery.event_type)
        number = self._db.execute(
            f"INSERT INTO attempts ({_ATTEMPT}) VALUES (?,?,?,?,?,?,?,?)",
            (*row, now_s, outcome.took_s, outcome.status, outcome.error),
        ).lastrowid
        self._db.execute("DELETE FROM attempts WHERE number <= ?", ((number or 0) - KEPT_ATTEMPTS,))
        if outcome.delivered:
            self._db.execute(
                "UPDATE destinations SET last_success_at_s = ? WHERE destination = ?", (now_s, delivery.destination)
            )
        else:
            self._db.execute(
                "UPDATE destinations SET last_failure_at_s = ?, last_error = ? WHERE destination = ?",
                (now_s, outcome.error, delivery.destination),
            )

    def _release_next(self, delivery: Delivery, now_s: float) -> None:
        """The next event of the task may go to the destination now, unless its time is set already."""
        self._db.execute(
            "UPDATE deliveries SET try_at_s = coalesce(try_at_s, ?) WHERE number = (SELECT MIN(number) FROM deliveries "
            "WHERE destination = ? AND task_id = ? AND dead_at_s IS NULL)",
            (now_s, delivery.destination, delivery.task_id),
        )

    # ---- dead letters ----

    def dead(self, before: int, most: int) -> list[Delivery]:
        """Dead letters, the newest first. before: only those with a lower number; 0 for all."""
        rows = self._db.execute(
            f"SELECT {_DELIVERY} FROM deliveries WHERE dead_at_s IS NOT NULL AND number < ? "
            "ORDER BY number DESC LIMIT ?",
            (before or MAX_NUMBER, most),
        )
        return [Delivery(*row) for row in rows]

    def dead_letter(self, number: int) -> Delivery | None:
        row = self._db.execute(
            f"SELECT {_DELIVERY} FROM deliveries WHERE number = ? AND dead_at_s IS NOT NULL", (number,)
        ).fetchone()
        return Delivery(*row) if row else None

    def resend(self, number: int, times: Times) -> None:
        """Make a dead letter alive again. It is due at once, and does not wait for later events of its task."""
        with self._transaction():
            self._db.execute(
                "UPDATE deliveries SET dead_at_s = NULL, attempts = 0, give_up_at_s = ?, try_at_s = ? WHERE number = ?",
                (times.give_up_at_s, times.now_s, number),
            )

    def drop_oldest_dead(self) -> int:
        """Keep the newest KEPT_DEAD dead letters. Returns how many were deleted."""
        with self._transaction():
            return self._db.execute(
                "DELETE FROM deliveries WHERE number IN (SELECT number FROM deliveries WHERE dead_at_s IS NOT NULL "
                f"ORDER BY number DESC LIMIT -1 OFFSET {KEPT_DEAD})"
            ).rowcount

    # ---- figures ----

    def attempts(self, most: int) -> list[Attempt]:
        """The newest first."""
        rows = self._db.execute(f"SELECT {_ATTEMPT} FROM attempts ORDER BY number DESC LIMIT ?", (most,))
        return [Attempt(*row) for row in rows]

    def counts(self) -> dict[str, Count]:
        """By destination."""
        waiting = self._count("dead_at_s IS NULL")
        dead = self._count("dead_at_s IS NOT NULL")
        return {name: Count(waiting.get(name, 0), dead.get(name, 0)) for name in waiting.keys() | dead.keys()}

    def _count(self, condition: str) -> dict[str, int]:
        query = f"SELECT destination, count(*) FROM deliveries WHERE {condition} GROUP BY destination"
        return dict(self._db.execute(query).fetchall())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
