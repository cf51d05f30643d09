"""Connections to the database. Every wait is bounded, and no error shows the password."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from broker.journal import BrokenJournalError, JournalError, LeadershipLostError

#: How long a server may take to accept a connection. If the URL has several hosts, each of them may take as long.
CONNECT_LIMIT_S = 5
#: How long one statement may take, and how long it may wait for a lock. The server ends it then.
STATEMENT_LIMIT_S = 10.0
LOCK_LIMIT_S = 5.0
#: How long to wait for an answer of the server. A server that has stopped or hangs in its disk ends no statement.
ANSWER_LIMIT_S = 15.0
#: Reading a whole journal, and changing its tables, may take long.
LONG_LIMIT_S = 3600.0
#: The network must answer within these times, or the connection is given up, on both sides.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
DEFAULT_SCHEMA = "tfmodel"
#: The setting idle_session_timeout came with this version (leadership.py).
OLDEST_SERVER = 140_000
#: The SQLSTATE of hold_term in migrations.py.
OTHER_TERM = "TF001"
#: Errors that neither waiting nor a new connection repairs.
PERSONS_CASES = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InvalidSchemaName,
    errors.InsufficientPrivilege,
    errors.DataCorrupted,
    errors.IndexCorrupted,
)


class UnreachableError(JournalError):
    """The server cannot be reached, or is not ready. Waiting helps."""


class Connection(psycopg.Connection[TupleRow]):
    """A connection that waits for no answer longer than `answer_limit_s`."""

    answer_limit_s = ANSWER_LIMIT_S

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.answer_limit_s if timeout is None else timeout)


class Place:
    """A database and a schema in it, as the URL names them.

    shown: the URL without password and parameters, for logs and errors.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        # Not by urllib, which refuses some passwords that PostgreSQL takes, and shows them in its error.
        credentials, at, server = url.partition("://")[2].partition("?")[0].rpartition("@")
        user = credentials.partition(":")[0]
        self.shown = f"postgresql://{user}{at if user else ''}{server}"
        self.schema = DEFAULT_SCHEMA
        try:
            options = str(conninfo_to_dict(url).get("options") or "")
        except psycopg.Error:
            # Its message may show a piece of the password.
            raise BrokenJournalError(
                "PostgreSQL's library cannot read the URL in [broker] journal.",
                "Write it as postgresql://USER@HOST:PORT/DATABASE, with parameters that libpq knows.",
            ) from None
        for option in options.replace("-c ", "-c").split():
            name, _, value = option.removeprefix("-c").partition("=")
            if name == "search_path" and value:
                self.schema = value.partition(",")[0].strip('"')

    @property
    def lock_key(self) -> int:
        """Stands for the schema among the advisory locks of its database."""
        digest = hashlib.blake2b(f"tfmodel journal {self.schema}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, signed=True)

    def connect(self, name: str) -> Connection:
        """Connect in autocommit mode. name: shown in the server's list of connections.

        Raises UnreachableError if the server is not ready, and BrokenJournalError if it is not one that we can use.
        """
        try:
            connection = Connection.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_LIMIT_S,
                client_encoding="UTF8",
                application_name=f"tfmodel {name}",
                keepalives=1,
                **KEEPALIVES,
            )
        except psycopg.Error as error:
            raise UnreachableError(f"Cannot connect to the journal {self.shown}: {one_line(error)}") from None
        try:
            with self.errors():
                self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: Connection) -> None:
        session = {
            "search_path": '"' + self.schema.replace('"', '""') + '"',
            "statement_timeout": f"{STATEMENT_LIMIT_S * 1000:.0f}",
            "lock_timeout": f"{LOCK_LIMIT_S * 1000:.0f}",
            "tcp_keepalives_idle": str(KEEPALIVES["keepalives_idle"]),
            "tcp_keepalives_interval": str(KEEPALIVES["keepalives_interval"]),
            "tcp_keepalives_count": str(KEEPALIVES["keepalives_count"]),
            "tcp_user_timeout": str(KEEPALIVES["tcp_user_timeout"]),
            # Compiling a query takes longer than any of ours.
            "jit": "off",
        }
        if connection.info.server_version < OLDEST_SERVER:
            raise BrokenJournalError(
                f"{self.shown} is PostgreSQL {connection.info.server_version // 10_000}.",
                "Version 14 or newer is needed.",
            )
        calls = ", ".join("set_config(%s, %s, false)" for _ in session)
        values = [text for item in session.items() for text in item]
        connection.execute(f"SELECT {calls}", values)
        row = connection.execute(
            "SELECT pg_is_in_recovery(), pg_encoding_to_char(encoding) FROM pg_database "
            "WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        in_recovery, encoding = row
        if in_recovery:
            raise UnreachableError(
                f"{self.shown} is a standby server of PostgreSQL, which takes no changes; name the primary one in "
                "[broker] journal, or promote this one."
            )
        if encoding != "UTF8":
            raise BrokenJournalError(
                f"The database {self.shown} has the encoding {encoding}, in which not every text can be kept.",
                "Make one with 'createdb --encoding=UTF8 --template=template0 NAME'.",
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of the database inside become JournalErrors."""
        try:
            yield
        except psycopg.Error as error:
            if error.sqlstate == OTHER_TERM:
                raise LeadershipLostError(f"The commit was refused: {one_line(error)}") from error
            finding = f"The journal {self.shown} failed: {one_line(error)}"
            if isinstance(error, PERSONS_CASES):
                raise BrokenJournalError(finding, "An administrator of the database can help.") from error
            raise JournalError(finding) from error


def one_line(error: psycopg.Error) -> str:
    """What the error says, as a sentence with its full stop."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if said.endswith((".", "?")) else f"{said}."
