"""One format for the log lines of all programs: time, level, program, then fixed `key=value` pairs.

Strangers choose the names of files, users and workers. Only the formatter here keeps these names from forging lines: a
record is one line, and the lines of its stack trace are indented.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

from protocol.text import printable

#: The longest line, without its line break.
MOST_CHARACTERS = 2000
#: The most lines of a stack trace. A deep recursion has a thousand, and only the first and the last ones matter.
MOST_TRACE_LINES = 60
#: The lines of a stack trace begin with blanks. A record never does, so they cannot be mistaken for one.
INDENT = "    "
LEFT_OUT = " […]"
#: The first part of our loggers' names. Our messages are `action=… key=value`; those of libraries are sentences.
OUR_LOGGERS = ("broker", "web", "worker", "trainer", "trainer_worker")


class LineFormatter(logging.Formatter):
    """Writes a record as one line, and its stack trace as indented lines. No line exceeds MOST_CHARACTERS."""

    def __init__(self, program: str) -> None:
        super().__init__(f"%(asctime)s.%(msecs)03d %(levelname)s {program} %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        if record.name.partition(".")[0] not in OUR_LOGGERS:
            # The text is quoted, because a library may repeat parts of a request or a file that look like our keys.
            record.message = f"action=library.message logger={record.name} text={record.message!r}"
        record.asctime = self.formatTime(record, self.datefmt)
        lines = [bounded(printable(self.formatMessage(record)))]
        # exc_text, the cached trace, is not used: another handler may have written it without escaping.
        if record.exc_info:
            lines += indented(self.formatException(record.exc_info))
        if record.stack_info:
            lines += indented(record.stack_info)
        return "\n".join(lines)


def bounded(line: str) -> str:
    """Return `line`, cut to MOST_CHARACTERS."""
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - len(LEFT_OUT)] + LEFT_OUT


def indented(text: str) -> list[str]:
    """Return the lines of a stack trace, indented so that none of them looks like a record."""
    # splitlines() would also split at other control characters. They are escaped instead.
    lines = text.split("\n")
    if len(lines) > MOST_TRACE_LINES:
        half = MOST_TRACE_LINES // 2
        lines = [*lines[:half], f"[{len(lines) - 2 * half} lines left out]", *lines[-half:]]
    return [bounded(INDENT + printable(line)) for line in lines]


def set_up_logging(program: str) -> None:
    """Log to stderr. supervisord collects it in one file for each program and rotates it.

    Warnings of libraries and uncaught exceptions go through the same formatter, because they can contain names too.
    """
    # Our format shows none of these, and collecting them takes time (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(program))
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
