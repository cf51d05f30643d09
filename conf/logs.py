"""The log lines of all programs: time, level, program, then fixed `key=value` pairs; as text or as JSON.

Strangers choose the names of files, users and workers. Only the formatter here keeps these names from forging lines: a
record is one line, and the lines of its stack trace are indented, or in JSON a field of the same line.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
import threading
from types import TracebackType
from typing import Literal

from conf.log_fields import TemplateError, Value, fields_of
from conf.log_request import REQUEST_ID
from protocol.text import printable

#: The longest line, without its line break.
MOST_CHARACTERS = 2000
#: The most lines of a stack trace. A deep recursion has a thousand, and only the first and the last ones matter.
MOST_TRACE_LINES = 60
#: The lines of a stack trace begin with blanks. A record never does, so they cannot be mistaken for one.
INDENT = "    "
LEFT_OUT = " […]"
#: The first part of our loggers' names. Our messages are `action=… key=value`; those of libraries are sentences.
OUR_LOGGERS = ("broker", "cluster", "web", "worker", "trainer", "trainer_worker")


#: Names the HTTP call that a line belongs to.
REQUEST_KEY = "request"
#: The keys that every JSON line has.
FIXED_KEYS = ("time", "level", "program", "logger", "action")
LogFormat = Literal["text", "json"]


class LineFormatter(logging.Formatter):
    """Writes a record as one line, and its stack trace as indented lines. No line exceeds MOST_CHARACTERS."""

    def __init__(self, program: str) -> None:
        super().__init__(f"%(asctime)s.%(msecs)03d %(levelname)s {program} %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        if not is_ours(record):
            # The text is quoted, because a library may repeat parts of a request or a file that look like our keys.
            record.message = f"action=library.message logger={record.name} text={record.message!r}"
        if request_id := request_of(record):
            record.message += f" {REQUEST_KEY}={request_id}"
        record.asctime = self.formatTime(record, self.datefmt)
        lines = [bounded(printable(self.formatMessage(record)))]
        # exc_text, the cached trace, is not used: another handler may have written it without escaping.
        if record.exc_info:
            lines += [INDENT + line for line in trace_lines(self.formatException(record.exc_info))]
        if record.stack_info:
            lines += [INDENT + line for line in trace_lines(record.stack_info)]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object on one line: FIXED_KEYS, the keys of its message, and `trace` if it has one.

    Texts are escaped and bounded as in LineFormatter, so that a program may show them on a terminal after decoding.
    """

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Value] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "program": self._program,
            "logger": record.name,
            **self._fields(record),
        }
        if request_id := request_of(record):
            line[REQUEST_KEY] = request_id
        texts = [self.formatException(record.exc_info)] if record.exc_info else []
        texts += [record.stack_info] if record.stack_info else []
        safe = {key: bounded(printable(value)) if isinstance(value, str) else value for key, value in line.items()}
        if texts:
            safe["trace"] = "\n".join(each for text in texts for each in trace_lines(text))
        return json.dumps(safe, ensure_ascii=False)

    @staticmethod
    def _fields(record: logging.LogRecord) -> dict[str, Value]:
        if not is_ours(record):
            return {"action": "library.message", "text": record.getMessage()}
        try:
            return fields_of(str(record.msg), record.args if isinstance(record.args, tuple) else ())
        except TemplateError:
            return {"action": "program.message", "text": record.getMessage()}


FORMATTERS: dict[LogFormat, type[LineFormatter] | type[JsonFormatter]] = {"text": LineFormatter, "json": JsonFormatter}


def is_ours(record: logging.LogRecord) -> bool:
    """Whether the record is from our code, and not from a library."""
    return record.name.partition(".")[0] in OUR_LOGGERS


def request_of(record: logging.LogRecord) -> str:
    """The id of the call that the record belongs to; "" outside of calls, and if the record names a call itself."""
    return "" if f" {REQUEST_KEY}=" in str(record.msg) else REQUEST_ID.get()


def bounded(line: str, most: int = MOST_CHARACTERS) -> str:
    """Return `line`, cut to `most` characters."""
    return line if len(line) <= most else line[: most - len(LEFT_OUT)] + LEFT_OUT


def trace_lines(text: str) -> list[str]:
    """Return the lines of a stack trace, at most MOST_TRACE_LINES and one more."""
    # splitlines() would also split at other control characters. They are escaped instead.
    lines = text.split("\n")
    if len(lines) > MOST_TRACE_LINES:
        half = MOST_TRACE_LINES // 2
        lines = [*lines[:half], f"[{len(lines) - 2 * half} lines left out]", *lines[-half:]]
    return [bounded(printable(line), MOST_CHARACTERS - len(INDENT)) for line in lines]


def set_up_logging(program: str, log_format: LogFormat = "text") -> None:
    """Log to stderr. supervisord collects it in one file for each program and rotates it.

    Warnings of libraries and uncaught exceptions go through the same formatter, because they can contain names too.
    """
    # Our format shows none of these, and collecting them takes time (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATTERS[log_format](program))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    log = logging.getLogger(program)

    def log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("action=program.failed", exc_info=(kind, error, trace))

    def log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else ""
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            info = (args.exc_type, args.exc_value, args.exc_traceback)
            log.critical("action=thread.failed thread=%r", name, exc_info=info)

    def log_unraisable(args: sys.UnraisableHookArgs) -> None:
        # A destructor, or a callback from C code, raised an exception that no caller can catch.
        error = args.exc_value
        info = (type(error), error, args.exc_traceback) if error is not None else None
        log.error("action=program.unraisable where=%.200r", args.object, exc_info=info)

    sys.excepthook = log_uncaught
    threading.excepthook = log_uncaught_in_thread
    sys.unraisablehook = log_unraisable
