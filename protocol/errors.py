"""Stable codes for failed tasks and refused calls. The class of a failure decides whether the task is tried again.

class                   what is at fault                            is it tried again?
FailureClass.DATA       the photos or their folder                  no
FailureClass.REQUEST    the options                                 no
FailureClass.RESOURCES  memory or disk ran out, storage is away     once; after out_of_memory with half the batch size
FailureClass.LOST       the worker or trainer process disappeared   up to `[broker] max_attempts` attempts
FailureClass.TRAINER    TFModel or TensorFlow raised an exception   once
"""

from __future__ import annotations

import enum
import errno

import msgspec

from protocol.bounds import MAX_ERROR_CHARS, MAX_TRACE_CHARS, Error, Trace, Word, shortened
from protocol.data_report import DataReport, Finding, Severity, finding


class FailureClass(enum.StrEnum):
    DATA = "data"
    REQUEST = "request"
    RESOURCES = "resources"
    LOST = "lost"
    TRAINER = "trainer"


#: Every code that a failed task can carry, with its class. Codes are stable: callers switch on them.
FAILURE_CODES: dict[str, FailureClass] = {
    "project_dir_missing": FailureClass.DATA,
    "project_dir_changed": FailureClass.DATA,
    "link_leaves_project": FailureClass.DATA,
    "project_dir_not_writable": FailureClass.DATA,
    "layout_unclear": FailureClass.DATA,
    "layout_unsupported": FailureClass.DATA,
    "no_images": FailureClass.DATA,
    "too_few_classes": FailureClass.DATA,
    "bad_labels_info": FailureClass.DATA,
    "no_masks": FailureClass.DATA,
    "bad_classes": FailureClass.DATA,
    "bad_masks": FailureClass.DATA,
    "too_few_images": FailureClass.DATA,
    "storage_denied": FailureClass.DATA,
    "unsupported_option": FailureClass.REQUEST,
    "time_limit": FailureClass.REQUEST,
    "out_of_memory": FailureClass.RESOURCES,
    "disk_full": FailureClass.RESOURCES,
    "storage_unreachable": FailureClass.RESOURCES,
    "trainer_killed": FailureClass.LOST,
    "trainer_stalled": FailureClass.LOST,
    "worker_lost": FailureClass.LOST,
    "export_mismatch": FailureClass.TRAINER,
    "trainer_error": FailureClass.TRAINER,
}


#: Every code of a refused HTTP call, with its HTTP status. A test compares them with docs/errors.md.
REFUSAL_CODES: dict[str, int] = {
    "bad_fields": 400,
    "bad_request": 400,
    "token_in_url": 400,
    "unauthorized": 401,
    "cross_site": 403,
    "foreign_host": 403,
    "project_dir_not_allowed": 403,
    "path_not_allowed": 403,
    "read_only_token": 403,
    "uploads_off": 403,
    "user_not_allowed": 403,
    "webhook_not_allowed": 403,
    "unknown_dead_letter": 404,
    "unknown_destination": 404,
    "unknown_task": 404,
    "unknown_path": 404,
    "unknown_upload": 404,
    "unknown_worker": 404,
    "no_report": 404,
    "no_model": 404,
    "no_artifact": 404,
    "no_folder": 404,
    "no_log": 404,
    "no_picture": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "artifact_changed": 409,
    "corrections_unusable": 409,
    "destination_left": 409,
    "key_reused": 409,
    "needs_unmet": 409,
    "task_ended": 409,
    "task_left_out": 409,
    "task_not_ended": 409,
    "task_not_started": 409,
    "model_changed": 409,
    "model_unusable": 409,
    "wrong_offset": 409,
    "body_too_large": 413,
    "picture_too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "bad_picture": 422,
    "queue_full": 429,
    "too_many_streams": 429,
    "predict_busy": 429,
    "uploads_busy": 429,
    "thumbnails_busy": 429,
    "internal_error": 500,
    "broker_away": 503,
    "check_failed": 503,
    "disk_nearly_full": 503,
    "file_unreadable": 503,
    "not_ready": 503,
    "predict_failed": 503,
    "promote_failed": 503,
    "storage_away": 503,
    "tokens_unreadable": 503,
    "uploads_unavailable": 503,
    "webhooks_unavailable": 503,
    "project_full": 507,
}


def no_such_task(task_id: str) -> str:
    """The error text of unknown_task. It is the same for another user's task, whose existence must not show."""
    return f"There is no task {task_id}; check the taskId, or post the folder again."


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that a disk, or a user's quota on it, is full.

    Libraries that write files in C raise errors of their own, which have the system's words in their text.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(words in str(error) for words in ("No space left on device", "Disk quota exceeded"))


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why an attempt failed.

    error: one or two sentences for the person who posted the task.
    trace: the last lines of the stack trace. They are for the operator and are never sent over HTTP.
    Both are shortened to the length that a message may carry.
    data: what was found in the folder before the attempt failed, shortened.
    """

    code: Word
    failure_class: FailureClass
    error: Error
    trace: Trace = ""
    data: DataReport = DataReport()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "error", shortened(self.error, MAX_ERROR_CHARS))
        msgspec.structs.force_setattr(self, "trace", shortened(self.trace, MAX_TRACE_CHARS))


class TrainingError(Exception):
    """A trainer raises this to end its attempt. `error` is a sentence that says what to do.

    code: one of FAILURE_CODES. The code determines the failure class.
    """

    def __init__(self, code: str, error: str) -> None:
        if code not in FAILURE_CODES:
            raise ValueError(f"unknown failure code {code!r}; add it to protocol/errors.py")
        super().__init__(error)
        self.code = code
        self.error = error

    def finding(self) -> Finding:
        """The error as a finding, for a check that foresees it."""
        return finding(self.code, Severity.ERROR, self.error)
