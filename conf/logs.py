"""One format for the log lines of all programs: time, level, program, then fixed `key=value` pairs.

Names of files, users and workers come from strangers. The formatter here is the one place that keeps them from
writing lines of their own: a record is one line, and everything below it is indented.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

from protocol.text import printable

#: Of any line, its line break not counted.
MOST_CHARACTERS = 2000
#: Of one stack trace. A deep recursion has a thousand; its beginning and its end say enough.
MOST_TRACE_LINES = 60
#: Continuation lines begin with blanks. A record never does, so such a line cannot pass for a record.
INDENT = "    "
LEFT_OUT = " […]"
#: The names of our loggers begin with these. Our messages are `action=… key=value`, those of libraries are sentences.
OUR_LOGGERS = ("broker", "web", "worker", "trainer", "trainer_worker")


class LineFormatter(logging.Formatter):
    """One record, one line of at most MOST_CHARACTERS; a stack trace follows in indented lines of that length."""

    def __init__(self, program: str) -> None:
        super().__init__(f"%(asctime)s.%(msecs)03d %(levelname)s {program} %(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        if record.name.partition(".")[0] not in OUR_LOGGERS:
            # Quoted: what a library repeats from a request or a file must not look like our keys and values.
            record.message = f"action=library.message logger={record.name} text={record.message!r}"
        record.asctime = self.formatTime(record, self.datefmt)
        lines = [bounded(printable(self.formatMessage(record)))]
        # The cached text of the standard formatter (exc_text) is not used: another handler may have written it.
        if record.exc_info:
            lines += indented(self.formatException(record.exc_info))
        if record.stack_info:
            lines += indented(record.stack_info)
        return "\n".join(lines)


def bounded(line: str) -> str:
    """`line`, cut to MOST_CHARACTERS."""
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - len(LEFT_OUT)] + LEFT_OUT


def indented(text: str) -> list[str]:
    """The lines of a stack trace, indented so that none of them looks like the beginning of a record."""
    # splitlines() would also split at other control characters; those are escaped instead.
    lines = text.split("\n")
    if len(lines) > MOST_TRACE_LINES:
        half = MOST_TRACE_LINES // 2
        lines = [*lines[:half], f"[{len(lines) - 2 * half} lines left out]", *lines[-half:]]
    return [bounded(INDENT + printable(line)) for line in lines]


def set_up_logging(program: str) -> None:
    """Log to stderr. supervisord collects it in one file for each program and rotates it.

    Warnings of libraries and uncaught exceptions go through the same formatter, because they can contain names too.
    """
    # Do not collect what no line shows (Python's logging HOWTO, "Optimization").
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
        # Raised by a destructor or a callback from C code, where nobody can catch it.
        error = args.exc_value
        info = (type(error), error, args.exc_traceback) if error is not None else None
        log.error("action=program.unraisable where=%.200r", args.object, exc_info=info)

    sys.excepthook = log_uncaught
    threading.excepthook = log_uncaught_in_thread
    sys.unraisablehook = log_unraisable
