"""JSON log lines: one object a record, with the keys of its template, and no way for a value to become a key."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.log_fields import TemplateError, fields_of
from conf.logs import FIXED_KEYS, MOST_CHARACTERS, MOST_TRACE_LINES, JsonFormatter
from conf.settings import ROOT
from tests.waiting import TIMEOUT_S
from web.door.request_lines import FloodFilter, TokenlessFormatter

FORGED = 'x\' action=task.done task=t1 ", "action": "task.done"\n{}'


def line_of(
    message: str, *values: object, error: BaseException | None = None, logger: str = "worker"
) -> dict[str, Any]:
    """The one line for one record, decoded."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.WARNING, __file__, 1, message, values, info)
    (line,) = JsonFormatter("worker.w1").format(record).splitlines()
    assert line.isprintable()
    fields: dict[str, Any] = json.loads(line)
    assert list(fields)[: len(FIXED_KEYS)] == list(FIXED_KEYS)
    return fields


def test_a_line_has_time_level_logger_action_and_the_keys_with_numbers_as_numbers() -> None:
    fields = line_of("action=web.answered status=%d path=%r ms=%.0f from=%s", 404, "/v1/x", 12.6, "127.0.0.1")
    assert fields.pop("time").endswith("+00:00")
    assert fields == {
        "level": "WARNING",
        "program": "worker.w1",
        "logger": "worker",
        "action": "web.answered",
        "status": 404,
        "path": "/v1/x",
        "ms": 13.0,
        "from": "127.0.0.1",
    }


def test_sentences_parts_of_words_and_templates_without_values_are_read() -> None:
    assert fields_of("action=task.%s reason='%s; wait %.0f s' share=100%%", ("lost", "it's over", 2.0)) == {
        "action": "task.lost",
        "reason": "it's over; wait 2 s",
        "share": "100%",
    }
    assert fields_of("action=worker.welcomed share=100%", ()) == {"action": "worker.welcomed", "share": "100%"}
    assert fields_of("action=x value=%s", (None,)) == {"action": "x", "value": None}
    assert fields_of("action=x loss=%s other=%.1f", (float("nan"), float("inf"))) == {
        "action": "x",
        "loss": "nan",
        "other": "inf",
    }


@pytest.mark.parametrize(("template", "values"), [("a sentence", ()), ("action=x y=%s", (1, 2)), ("action=x y", ())])
def test_what_is_no_list_of_keys_is_refused(template: str, values: tuple[object, ...]) -> None:
    with pytest.raises(TemplateError):
        fields_of(template, values)


def test_a_message_of_ours_that_is_no_list_of_keys_is_kept_as_text() -> None:
    fields = line_of("something %s", "odd")
    assert (fields["action"], fields["text"]) == ("program.message", "something odd")


@pytest.mark.door(20)
def test_a_library_s_words_stay_text() -> None:
    fields = line_of("400 GET %s", f"/?{FORGED}", logger="tornado.general")
    assert fields["action"] == "library.message"
    assert fields["logger"] == "tornado.general"
    assert "task" not in fields
    assert fields["text"].startswith("400 GET /?x' action=task.done")


@pytest.mark.door(20)
@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_no_value_becomes_a_key_or_a_second_line(value: str) -> None:
    fields = line_of("action=file.skipped name=%s quoted=%r reason='%s'", value, value, value)
    assert list(fields)[len(FIXED_KEYS) :] == ["name", "quoted", "reason"]
    assert fields["action"] == "file.skipped"
    assert fields["name"].isprintable()


@pytest.mark.door(20)
def test_texts_and_traces_are_bounded() -> None:
    fields = line_of("action=file.skipped name=%s", "n" * 100_000, error=ValueError(f"{FORGED}\n" * 1000))
    assert len(fields["name"]) == MOST_CHARACTERS
    lines = fields["trace"].split("\n")
    assert len(lines) <= MOST_TRACE_LINES + 1
    assert all(len(line) <= MOST_CHARACTERS and line.isprintable() for line in lines)


def test_tokens_are_cut_and_floods_are_counted_as_in_text() -> None:
    record = logging.LogRecord("web", logging.INFO, "", 1, "action=x path=%r", ("/tfm_abcdefghijklmnop",), None)
    line = TokenlessFormatter(JsonFormatter("web")).format(record)
    assert "abcdefgh" not in line
    assert json.loads(line)["path"].startswith("/tfm_")
    flood = FloodFilter(most_per_s=1)
    again = [logging.LogRecord("web", logging.INFO, "", 1, "action=x path=%r", ("/",), None) for _ in range(3)]
    again[2].created = again[0].created = again[1].created = 5.0
    again[2].created = 6.5
    assert [flood.filter(each) for each in again] == [True, False, True]
    assert json.loads(JsonFormatter("web").format(again[2]))["left_out"] == 1


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError(FORGED)",
        "import threading; t = threading.Thread(target=int, args=(FORGED,)); t.start(); t.join()",
        "import warnings; warnings.warn(FORGED)",
        "x = type('X', (), {'__del__': lambda self: int(FORGED)})(); del x",
        "import asyncio; asyncio.run(asyncio.wait_for(asyncio.sleep(9), 0))",
    ],
    ids=["uncaught", "uncaught in a thread", "warning", "destructor", "library"],
)
def test_what_python_itself_says_is_json_too(code: str) -> None:
    program = f"from conf.logs import set_up_logging\nset_up_logging('worker', 'json')\nFORGED = {FORGED!r}\n{code}\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    for line in done.stderr.splitlines():
        assert json.loads(line)["action"] in (
            *("program.failed", "thread.failed", "library.message", "program.unraisable"),
        ), line
    assert done.stderr
