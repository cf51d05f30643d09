"""A real broker and front-end whose journal is in PostgreSQL, and a database that goes away."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.doctor import journal as doctor
from service.doctor.result import Verdict
from service.journal_check import check_journal
from tests.postgres_server import PostgresServer, server_or_skip
from tests.sample_tasks import hex_id
from tests.socket.programs import Programs
from tests.waiting import wait_until

SECRET = "s3cret"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    server_or_skip()
    server = PostgresServer()
    yield server
    server.remove()


def test_a_database_that_goes_away_costs_no_task(tmp_path: Path, server: PostgresServer) -> None:
    url = server.url().replace("postgres@", f"postgres:{SECRET}@")
    with Programs(tmp_path, WEB_REQUEST_TIMEOUT_S=5, BROKER_JOURNAL=url) as programs:
        first = programs.post_id()
        listed = programs.get("/v1/tasks?userId=anna").body
        assert [task["taskId"] for task in listed["tasks"]] == [first]
        story = programs.run("-m", "broker", "story", first)
        assert (story.returncode, '"fact":"Submitted"' in story.stdout) == (0, True), story.stderr

        server.stop(signal.SIGQUIT)
        refused = programs.post(requestId="k")
        assert (refused.status, refused.body["code"]) == (503, "broker_away")
        assert programs.wait_for_exit("broker") == 1
        assert "action=broker.leadership_lost" in programs.log_of("broker")
        story = programs.run("-m", "broker", "story", first)
        assert (story.returncode, "Cannot connect to the journal" in story.stderr) == (1, True)

        programs.start("broker")
        wait_until(lambda: "action=journal.awaited" in programs.log_of("broker"), "a broker that waits")
        server.start()
        programs.wait_synced()
        assert programs.task(first).body["state"] == "pending"
        assert programs.post_id(requestId="k") != first
        look = list(doctor.look(programs.settings))
        assert [result.topic for result in look[:2]] == ["journal", "leader"]
        assert [result.verdict for result in look] == [*[Verdict.OK] * 2, *[Verdict.WARN] * (len(look) - 2)]
        assert any("fsync = off" in result.sentence for result in look)
        assert check_journal(programs.settings, new_journal=False) == ""
        shown = [*(result.sentence for result in look), programs.log_of("broker"), programs.log_of("web")]
        shown += [story.stderr, str(programs.get("/v1/server").body)]
        for text in shown:
            assert SECRET not in text


def test_there_is_no_story_without_a_journal(tmp_path: Path) -> None:
    with Programs(tmp_path, start=False, BROKER_JOURNAL=server_or_skip().new_url()) as programs:
        story = programs.run("-m", "broker", "story", hex_id())
        assert story.returncode == 1
        assert "There is no journal" in story.stderr
