"""Log lines: one a record, bounded, and nothing that a stranger has named can pass for a line of ours."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from conf.log_request import logged_request
from conf.logs import FORMATTERS, INDENT, MOST_CHARACTERS, MOST_TRACE_LINES, LineFormatter, LogFormat
from conf.settings import ROOT
from protocol.text import printable
from tests.waiting import TIMEOUT_S

FORGED = "2026-11-29T10:00:00.000 INFO broker action=task.done task=t1"
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} [A-Z]+ worker\.w1 action=")
#: C0, C1, Unicode's own line breaks, and marks that turn the direction of writing.
HOSTILE = [
    chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), 0x2066, 0x61C)
]


def lines_of(message: str, *args: object, error: BaseException | None = None, logger: str = "worker") -> list[str]:
    """What a log file gets for one record, cut at everything that any reader takes for a line break."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.INFO, __file__, 1, message, args, info)
    return LineFormatter("worker.w1").format(record).splitlines()


@pytest.mark.door(20)
@pytest.mark.parametrize("mark", HOSTILE, ids=lambda mark: f"U+{ord(mark):04X}")
def test_no_character_of_a_name_begins_a_line_or_reaches_a_terminal(mark: str) -> None:
    (line,) = lines_of("action=file.skipped name=%s", f"a.png{mark}{FORGED}")
    assert mark not in line
    assert line.isprintable()
    assert RECORD.match(line)


@pytest.mark.door(20)
def test_names_in_all_the_world_s_scripts_stay_readable() -> None:
    name = "Räder 车轮 عجلات 🚲.png \\n"
    assert printable(name) == name
    assert lines_of("action=file.skipped name=%s", name)[0].endswith(name)


@pytest.mark.door(20)
def test_a_name_of_undecodable_bytes_is_written() -> None:
    (line,) = lines_of("action=file.skipped name=%s", b"\xff\n.png".decode("utf-8", "surrogateescape"))
    assert line.endswith(r"name=\udcff\n.png")
    line.encode()


@pytest.mark.door(20)
def test_a_library_s_words_do_not_read_like_keys_of_ours() -> None:
    (line,) = lines_of("400 GET %s", "/?x=\naction=task.done task=t1", logger="tornado.general")
    assert line.endswith(r"action=library.message logger=tornado.general text='400 GET /?x=\naction=task.done task=t1'")


@pytest.mark.door(20)
def test_no_line_is_longer_than_the_bound() -> None:
    for length in (10, 1900, 2000, 2001, 100_000):
        (line,) = lines_of("action=file.skipped name=%s", "\n" * length)
        assert len(line) <= MOST_CHARACTERS


def raised(message: str, depth: int = 0) -> BaseException:
    """A caught exception with a trace of `depth` frames."""
    try:
        _raise(message, depth)
    except ValueError as error:
        return error
    raise AssertionError


def _raise(message: str, depth: int) -> None:
    # Two functions in turn: Python folds the repeated frames of one into a line.
    if depth == 0:
        raise ValueError(message)
    _raise_in_turn(message, depth - 1)


def _raise_in_turn(message: str, depth: int) -> None:
    if depth == 0:
        raise ValueError(message)
    _raise(message, depth - 1)


@pytest.mark.door(20)
def test_no_line_of_a_stack_trace_looks_like_a_record() -> None:
    first, *trace = lines_of("action=task.failed", error=raised(f"bad name\n{FORGED}\r{FORGED}\u2028{FORGED}"))
    assert RECORD.match(first)
    assert any("2026-11-29" in line for line in trace)
    assert all(line.startswith(INDENT) for line in trace)


@pytest.mark.door(20)
def test_a_stack_trace_is_bounded_and_keeps_both_of_its_ends() -> None:
    lines = lines_of("action=task.failed", error=raised("x" * 10_000, depth=500))
    assert len(lines) <= MOST_TRACE_LINES + 2
    assert all(len(line) <= MOST_CHARACTERS for line in lines)
    assert "Traceback" in lines[1]
    assert "ValueError: xxx" in lines[-1]
    assert sum("lines left out" in line for line in lines) == 1


@pytest.mark.door(20)
@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError(FORGED)",
        "import threading; t = threading.Thread(target=int, args=(FORGED,)); t.start(); t.join()",
        "import warnings; warnings.warn(FORGED)",
        "x = type('X', (), {'__del__': lambda self: int(FORGED)})(); del x",
    ],
    ids=["uncaught", "uncaught in a thread", "warning", "destructor"],
)
def test_what_python_itself_says_takes_the_same_way(code: str) -> None:
    program = f"from conf.logs import set_up_logging\nset_up_logging('worker.w1')\nFORGED = 'x\\n{FORGED}'\n{code}\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    lines = done.stderr.splitlines()
    assert RECORD.match(lines[0]), done.stderr
    assert "task=t1" in done.stderr
    assert not [line for line in lines if line.startswith("2026-11-29T10:00:00.000")]
    assert all(RECORD.match(line) or line.startswith(INDENT) for line in lines), done.stderr


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_lines_of_a_call_name_it_once(log_format: LogFormat) -> None:
    formatter = FORMATTERS[log_format]("web")

    def line(message: str, *values: object) -> str:
        return formatter.format(logging.LogRecord("web", logging.INFO, "", 0, message, values, None))

    with logged_request("shop-1"):
        lines = [line("action=web.answered path=%r", "/x"), line("action=task.done request=%s", "shop-2")]
    lines.append(line("action=web.stopped"))
    assert ["shop-1" in each for each in lines] == [True, False, False]
    assert "shop-2" in lines[1]
    assert [each.count("request") for each in lines] == [1, 1, 0]
