"""Turns what object storage answers into what callers of the front-end are told."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator

from storage.errors import BadNameError, ConflictError, DeniedError, MissingObjectError, StorageError
from web.answers.refusal import Refusal

log = logging.getLogger("web")


@contextlib.contextmanager
def told() -> Iterator[None]:
    """A missing object becomes FileNotFoundError, and storage that does not answer becomes Refusal storage_away.

    A lost condition stays a ConflictError.
    """
    try:
        yield
    except MissingObjectError as error:
        raise FileNotFoundError(errno.ENOENT, str(error)) from error
    except BadNameError as error:
        raise OSError(errno.EINVAL, str(error)) from error
    except StorageError as error:
        if isinstance(error, ConflictError):
            raise
        log.warning("action=storage.away reason=%r", str(error))
        raise storage_away(str(error), isinstance(error, DeniedError)) from error


def storage_away(why: str = "Object storage does not answer in time.", is_denied: bool = False) -> Refusal:
    cure = "" if is_denied else " Try again in a moment."
    return Refusal("storage_away", f"{why.removesuffix('; try again later.').removesuffix('.')}.{cure}")
