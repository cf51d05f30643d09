"""The log of a task and its epochs, written while it is trained, for the person who posted it.

    projectDir/.tfmodel/tasks/<taskId>/log.txt        2026-11-29T20:00:00.123+00:00 INFO Stage train begins.
    projectDir/.tfmodel/tasks/<taskId>/epochs.jsonl   one EpochRecord on each line (protocol/epochs.py)

Every attempt adds to both files. They are read while they are written, so each line goes to the system at once. They
are not synced: a power cut may cost the newest lines. Whatever goes wrong with them costs lines, never the training.
"""

from __future__ import annotations

import enum
import logging
import os
import threading
import time
from typing import BinaryIO

import msgspec

from protocol.bounds import refuse_other_than_task_id, shortened
from protocol.epochs import EpochRecord
from protocol.events import iso
from protocol.project_layout import EPOCHS, LOG, MOST_EPOCHS_BYTES, MOST_LOG_BYTES, TASKS
from protocol.text import printable
from trainer_worker.project.folder import ProjectFolder

log = logging.getLogger(__name__)

#: The last part of the log is kept for how the attempts end, so that a long training can't crowd that out.
ENDS_BYTES = 64 * 1024
MOST_SENTENCE_CHARS = 4000


class Level(enum.StrEnum):
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class TaskLog:
    """A context manager: leaving it closes the files. No method raises an error of the disk."""

    def __init__(self, project: ProjectFolder, task_id: str) -> None:
        refuse_other_than_task_id(task_id)
        self._log = _GrowingFile(project, task_id, LOG)
        self._epochs = _GrowingFile(project, task_id, EPOCHS)
        self._lock = threading.Lock()
        self._full = False

    def __enter__(self) -> TaskLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        self._epochs.close()

    def write(self, sentence: str, level: Level = Level.INFO, is_end: bool = False) -> None:
        """Add a line. is_end: it says how an attempt ended, so it may take the part that is kept for this."""
        with self._lock:
            if self._full and not is_end:
                return
            limit_bytes = MOST_LOG_BYTES if is_end else MOST_LOG_BYTES - ENDS_BYTES
            if not self._log.add(_line(sentence, level), limit_bytes) and not is_end:
                self._full = True
                full = f"This log has reached {limit_bytes} bytes; from here on it only says how attempts end."
                self._log.add(_line(full, Level.WARNING), MOST_LOG_BYTES)

    def epoch(self, record: EpochRecord) -> None:
        if not self._epochs.add(msgspec.json.encode(record) + b"\n", MOST_EPOCHS_BYTES) and not self._epochs.is_full:
            self._epochs.is_full = True
            self.write(f"{EPOCHS} has reached {MOST_EPOCHS_BYTES} bytes; further epochs are not kept.", Level.WARNING)


class _GrowingFile:
    """A file in the task's folder to which lines are added. It is opened at the first line."""

    def __init__(self, project: ProjectFolder, task_id: str, name: str) -> None:
        self._project, self._steps, self._name = project, (TASKS, task_id), name
        self._file: BinaryIO | None = None
        #: Whether the last line may have been written in part.
        self._torn = False
        self._has_failed = False
        self.is_full = False

    def add(self, line: bytes, most_bytes: int) -> bool:
        """Add a line. False if the file would get larger than most_bytes; then nothing is written."""
        try:
            file = self._opened()
            size_bytes = os.fstat(file.fileno()).st_size
            content = b"\n" + line if self._torn else line
            if size_bytes + len(content) > most_bytes:
                return False
            self._torn = True
            self._torn = file.write(content) != len(content)
        except OSError as error:
            if not self._has_failed:
                log.warning("action=task_log.not_written file=%s reason=%r", self._name, str(error))
            self._has_failed = True
            self.close()
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _opened(self) -> BinaryIO:
        """The file. If it was removed meanwhile, perhaps with the whole of .tfmodel, a new one."""
        if self._file is not None and os.fstat(self._file.fileno()).st_nlink == 0:
            self.close()
        if self._file is None:
            with self._project.kept(*self._steps, make=True) as folder:
                self._file = folder.append_to(self._name)
            # An earlier attempt may have died in the middle of a line.
            self._torn = os.fstat(self._file.fileno()).st_size > 0
        return self._file


def _line(sentence: str, level: Level) -> bytes:
    shown = printable(shortened(" ".join(sentence.split()), MOST_SENTENCE_CHARS))
    return f"{iso(time.time())} {level} {shown}\n".encode()
