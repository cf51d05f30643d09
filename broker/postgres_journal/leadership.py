"""The leadership over a journal: of several brokers, the one whose session holds the lock of the journal leads.

The database ends a session that is silent for SESSION_IDLE_S, and gives its lock to another broker. The leader asks it
something every CONFIRM_INTERVAL_S. For FRESH_S after a question that was answered, which is less than SESSION_IDLE_S,
it certainly leads. Nobody gets an answer later than that. So a broker that is stopped or cut off answers nobody any
more by the time another one leads. Its commits need no clock, because each of them compares the term (leader.py).
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from broker.journal import JournalError, LeadershipLostError, Wait
from broker.postgres_journal.connection import Connection, Place, UnreachableError
from broker.postgres_journal.leader import leader_of

#: How often the leader asks the database something, and how long the answer may take.
CONFIRM_INTERVAL_S = 1.0
ANSWER_TIMEOUT_S = 3.0
FRESH_S = CONFIRM_INTERVAL_S + ANSWER_TIMEOUT_S
#: How long the database waits for a question. The difference to FRESH_S covers a round of the broker that has begun.
SESSION_IDLE_S = 6.0


class Leadership:
    """Use `lead` to get one. It asks in a thread of its own, because the main thread may hang in another connection."""

    def __init__(self, place: Place, connection: Connection, asked_at_s: float) -> None:
        """connection: whose session has just got the lock. asked_at_s: when it asked for that, as of `now_s`."""
        self._place = place
        self._connection = connection
        self._term = 0
        self._confirmed_at_s = asked_at_s
        self._lost: LeadershipLostError | None = None
        self._report_loss: Callable[[LeadershipLostError], None] | None = None
        self._changed = threading.Condition()
        self._is_closing = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        for source in (connection.fileno(), self._wake_read):
            self._poll.register(source, select.POLLIN)
        self._thread = threading.Thread(target=self._watch, name="leadership", daemon=True)
        self._thread.start()

    def begin_term(self, term: int) -> None:
        """From now on the leadership also ends when the journal has another term."""
        self._term = term

    def report_loss_to(self, take: Callable[[LeadershipLostError], None]) -> None:
        """Have a loss of the leadership told to `take`, once: by the thread of this object, or now if it is past."""
        with self._changed:
            self._report_loss, lost = take, self._lost
        if lost is not None:
            take(lost)

    def confirm(self) -> None:
        """Return if this broker certainly leads, if need be after the next answer. Raises LeadershipLostError."""
        if self._lost is None and self._is_fresh():
            return
        with self._changed:
            # This process was stopped, or the machine was suspended. The thread is about to ask.
            self._changed.wait_for(lambda: self._lost or self._is_fresh(), FRESH_S)
            if self._lost is None and not self._is_fresh():
                self._lost = LeadershipLostError(f"{self._place.shown} has confirmed nothing for {FRESH_S:.0f} s.")
            if self._lost is not None:
                raise self._lost

    def close(self) -> None:
        """Give up the leadership, so that another broker can lead at once."""
        self._is_closing = True
        os.write(self._wake_write, b"!")
        self._thread.join()
        # The server ends a session some time after its connection, and the next broker may be quicker.
        with suppress(JournalError), self._place.errors():
            self._connection.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _is_fresh(self) -> bool:
        return now_s() - self._confirmed_at_s < FRESH_S

    def _watch(self) -> None:
        while True:
            # The connection can be read when the database has ended the session.
            self._poll.poll(CONFIRM_INTERVAL_S * 1000)
            if self._is_closing:
                return
            try:
                self._ask()
            except JournalError as error:
                self._lose(LeadershipLostError(str(error)))
                return

    def _ask(self) -> None:
        asked_at_s, ours = now_s(), self._term
        with self._place.errors():
            row = self._connection.execute("SELECT term FROM leader" if ours else "SELECT 0").fetchone()
        if row is None or row[0] != ours:
            raise JournalError(f"Another broker has begun to lead; the term of this one was {ours}.")
        with self._changed:
            self._confirmed_at_s = asked_at_s
            self._changed.notify_all()

    def _lose(self, lost: LeadershipLostError) -> None:
        with self._changed:
            self._lost, report = lost, self._report_loss
            self._changed.notify_all()
        if report is not None:
            report(lost)


def lead(place: Place, wait: Wait) -> Leadership:
    """Lead as soon as no other broker does. wait: called as long as another one does.

    Raises UnreachableError if the connection is lost meanwhile, and other JournalErrors.
    """
    connection = place.connect("leader")
    connection.answer_limit_s = ANSWER_TIMEOUT_S
    try:
        with place.errors():
            connection.execute("SELECT set_config('idle_session_timeout', %s, false)", [f"{SESSION_IDLE_S:.0f}s"])
        while True:
            asked_at_s = now_s()
            leader = _take_lock(place, connection)
            if leader is None:
                return Leadership(place, connection, asked_at_s)
            wait(leader)
    except BaseException:
        connection.close()
        raise


def _take_lock(place: Place, connection: Connection) -> str | None:
    """Take the lock if no other session has it. Otherwise return the machine of the broker that leads."""
    try:
        with place.errors():
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", [place.lock_key]).fetchone()
            if row is not None and row[0]:
                return None
            leader = leader_of(connection, place)
    except JournalError as error:
        if isinstance(error.__cause__, psycopg.OperationalError):
            raise UnreachableError(str(error)) from error
        raise
    return leader.host if leader is not None else "another machine"


def now_s() -> float:
    """Seconds of a clock that goes on while the machine is suspended, as that of the database does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
