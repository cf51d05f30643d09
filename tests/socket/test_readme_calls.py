"""README.md's calls, made against a real front-end and a real broker."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator

import pytest

from protocol import messages as m
from tests.readme import code_blocks, curl_calls
from tests.socket.programs import FORM_HEADERS, Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until


@pytest.fixture
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("readme")) as running:
        (running.projects / "flowers").mkdir()
        yield running


def answers_shown() -> list[dict[str, object]]:
    return [json.loads(text) for language, text in code_blocks() if language == "json"]


def post(programs: Programs) -> Answer:
    """README's first call, with this test's folder in place of the reader's."""
    (call, _) = curl_calls()
    assert call.method == "POST"
    fields = {**call.fields, "projectDir": call.fields["projectDir"].replace("$PWD/projects", str(programs.projects))}
    return programs.call("POST", call.path, urllib.parse.urlencode(fields).encode(), FORM_HEADERS)


def test_the_curl_calls_answer_with_the_fields_that_are_shown(programs: Programs) -> None:
    shown_pending, shown_done = answers_shown()
    with ScriptedWorker(programs.endpoints.worker) as worker:
        answer = post(programs)
        assert (answer.status, answer.body.keys()) == (200, shown_pending.keys()), answer
        assert answer.body["state"] == shown_pending["state"]
        worker.join()
        worker.finish(worker.receive(m.Start))
        (_, poll) = curl_calls()
        assert poll.method == "GET"
        path = poll.path.replace("a999ca0c…", str(answer.body["taskId"]))
        wait_until(lambda: programs.get(path).body["state"] == shown_done["state"], "the end of the task")
        assert programs.get(path).body.keys() == shown_done.keys()
