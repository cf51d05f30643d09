"""One format for the log lines of all programs: time, level, program, then fixed `key=value` pairs."""

from __future__ import annotations

import logging


def set_up_logging(program: str) -> None:
    """Log to stderr, where supervisord collects and rotates one file a program."""
    # What no line shows need not be found out for each of them (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s.%(msecs)03d %(levelname)s {program} %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,
    )
