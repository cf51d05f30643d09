"""The tables of the journal in PostgreSQL, and the numbered steps that make them.

What callers write may hold NUL, which PostgreSQL refuses in texts, so it is kept as bytes. Bytes are ordered by code
points, as SQLite orders texts. An index entry has at most 2,704 bytes, so indexes have keys of texts (see keys.py).
JSON is kept as text: its encoder escapes NUL.
"""

from __future__ import annotations

from psycopg import sql

from broker.journal import BrokenJournalError
from broker.postgres_journal.connection import LONG_LIMIT_S, Connection, Place

#: Entry n of the migrations converts tables of version n to version n + 1. Never change one that was released.
MIGRATIONS = (
    """
    CREATE TABLE journal (version integer NOT NULL, pruned_up_to bigint NOT NULL);
    INSERT INTO journal VALUES (0, 0);

    CREATE TABLE facts (
        seq bigint PRIMARY KEY,
        at_s double precision NOT NULL,
        task_id text COLLATE "C" NOT NULL,
        fact text COLLATE "C" NOT NULL
    );
    CREATE INDEX facts_by_task ON facts (task_id, seq);

    CREATE TABLE tasks (
        task_id text COLLATE "C" PRIMARY KEY CHECK (task_id ~ '^[0-9a-f]{32}$'),
        state text COLLATE "C" NOT NULL,
        submitted_at_s double precision NOT NULL CHECK (submitted_at_s BETWEEN -1e300 AND 1e300),
        ended_at_s double precision NOT NULL CHECK (ended_at_s BETWEEN -1e300 AND 1e300),
        in_use_since_s double precision NOT NULL,
        is_keyed boolean NOT NULL,
        retry_of text COLLATE "C" NOT NULL,
        user_key bytea NOT NULL,
        project_key bytea NOT NULL,
        train_key bytea NOT NULL,
        user_id bytea NOT NULL,
        project_id bytea NOT NULL,
        task text COLLATE "C" NOT NULL
    );
    CREATE INDEX tasks_by_end ON tasks (state, ended_at_s, submitted_at_s, task_id)
    INCLUDE (user_key, project_key, train_key);
    CREATE INDEX tasks_by_time ON tasks (state, submitted_at_s, task_id)
    INCLUDE (user_key, project_key, train_key, ended_at_s);
    CREATE INDEX tasks_by_user ON tasks (user_key, state, submitted_at_s, task_id)
    INCLUDE (project_key, train_key, ended_at_s);
    CREATE INDEX tasks_by_project ON tasks (project_key, state, submitted_at_s, task_id)
    INCLUDE (user_key, train_key, ended_at_s);
    CREATE INDEX tasks_by_retry ON tasks (retry_of, state, submitted_at_s, task_id)
    INCLUDE (user_key, project_key, train_key, ended_at_s) WHERE retry_of <> '';
    CREATE INDEX tasks_by_request ON tasks (submitted_at_s, task_id) WHERE is_keyed;
    CREATE INDEX tasks_in_use ON tasks (user_key, project_key, in_use_since_s, task_id)
    INCLUDE (submitted_at_s) WHERE in_use_since_s > 0;

    -- For counting. Equal entries are stored once, so these are a tenth as large as those above.
    CREATE INDEX tasks_in_state ON tasks (state, train_key);
    CREATE INDEX tasks_of_user ON tasks (user_key, state, project_key, train_key);
    CREATE INDEX tasks_of_project ON tasks (project_key, state, train_key);

    CREATE TABLE task_metadata (
        task_id text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        value_key bytea NOT NULL,
        state text COLLATE "C" NOT NULL,
        submitted_at_s double precision NOT NULL,
        ended_at_s double precision NOT NULL,
        user_key bytea NOT NULL,
        project_key bytea NOT NULL,
        train_key bytea NOT NULL,
        user_id bytea NOT NULL,
        project_id bytea NOT NULL,
        PRIMARY KEY (task_id, name)
    );
    CREATE INDEX metadata_by_value ON task_metadata (name, value_key, state, submitted_at_s, task_id)
    INCLUDE (user_key, project_key, train_key, ended_at_s);

    CREATE INDEX metadata_in_state ON task_metadata (name, value_key, state, user_key, project_key, train_key);

    -- Which broker leads. Its writing session is that of the database's process `backend`.
    CREATE TABLE leader (
        term bigint NOT NULL,
        host text NOT NULL,
        pid integer NOT NULL,
        since timestamptz NOT NULL,
        backend integer NOT NULL,
        backend_start timestamptz NOT NULL
    );
    INSERT INTO leader VALUES (0, '', 0, now(), 0, now());
    -- Each commit begins with this, so that a broker of an earlier term cannot write, and no term begins meanwhile.
    CREATE FUNCTION hold_term(mine bigint) RETURNS void LANGUAGE plpgsql AS $hold$
    DECLARE
        present leader;
    BEGIN
        SELECT * INTO present FROM leader FOR SHARE;
        IF present.term IS DISTINCT FROM mine THEN
            RAISE EXCEPTION 'a broker on % leads in term %, and the term of this one was %',
                present.host, present.term, mine USING ERRCODE = 'TF001';
        END IF;
    END
    $hold$;

    -- Index-only scans need a fresh visibility map, and the planner fresh figures.
    ALTER TABLE tasks SET (
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
        autovacuum_analyze_scale_factor = 0.05
    );
    ALTER TABLE task_metadata SET (
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
        autovacuum_analyze_scale_factor = 0.05
    );
    """,
)


def version_of(connection: Connection, place: Place) -> int:
    """The version of the tables; 0 if there are none.

    Raises BrokenJournalError if they are of a newer release or of another program.
    """
    tables = {
        name
        for (name,) in connection.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = %s", [place.schema])
    }
    if not tables:
        return 0
    if not {"journal", "facts", "tasks", "task_metadata"} <= tables:
        raise BrokenJournalError(
            f"The schema {place.schema} of {place.shown} has tables, but not those of a journal of TFModel.",
            "Name another schema in [broker] journal: add ?options=-csearch_path%3DNAME.",
        )
    row = connection.execute("SELECT version FROM journal").fetchone()
    version = int(row[0]) if row else 0
    if version > len(MIGRATIONS):
        raise BrokenJournalError(
            f"The journal {place.shown} is of a newer release (version {version}, this one reads {len(MIGRATIONS)}).",
            "Run that release, or restore a dump of this one with pg_restore.",
        )
    return version


def migrate(connection: Connection, place: Place) -> None:
    """Make the schema and the tables, or bring them to the present version, in one transaction.

    Two brokers that start at once do it one after the other.
    """
    with connection.transaction():
        connection.answer_limit_s = LONG_LIMIT_S
        connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{LONG_LIMIT_S * 1000:.0f}"])
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [place.lock_key ^ 1])
        if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [place.schema]).fetchone() is None:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(place.schema)))
        version = version_of(connection, place)
        for script in MIGRATIONS[version:]:
            connection.execute(script)
        if version < len(MIGRATIONS):
            connection.execute("UPDATE journal SET version = %s", [len(MIGRATIONS)])
    del connection.answer_limit_s
