"""Failures of object storage, as the failures of a task."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from protocol.errors import TrainingError
from storage.errors import (
    BadNameError,
    ConflictError,
    DeniedError,
    MissingObjectError,
    StorageError,
    UnreachableError,
)

_CODES: dict[type[StorageError], str] = {
    BadNameError: "layout_unsupported",
    ConflictError: "project_dir_changed",
    DeniedError: "storage_denied",
    MissingObjectError: "project_dir_missing",
    UnreachableError: "storage_unreachable",
}


@contextlib.contextmanager
def as_training_errors() -> Iterator[None]:
    """Turn a StorageError of the block into a TrainingError with the same sentence."""
    try:
        yield
    except StorageError as error:
        raise training_error(error) from error


def training_error(error: StorageError) -> TrainingError:
    return TrainingError(_CODES.get(type(error), "storage_unreachable"), str(error))
