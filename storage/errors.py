"""Why a call to object storage failed, as sentences that name no secret.

The client's own messages are never passed on: they hold the answer of the server and the address that was asked, in
which there may be a signature.
"""

from __future__ import annotations

import os
import re


class StorageError(Exception):
    """A call failed. Its text is a sentence for the operator or the person who posted the task."""


class MissingObjectError(StorageError):
    """There is no object of that name, or no such bucket."""


class ConflictError(StorageError):
    """The condition of a put did not hold: somebody else was first."""


class DeniedError(StorageError):
    """The credentials are missing or wrong, or do not allow the call."""


class UnreachableError(StorageError):
    """The server cannot be reached, or it goes on failing. This may pass."""


class BadNameError(StorageError):
    """An object has a name that no file can have. One such object makes its whole listing unreadable."""


class TooLargeError(StorageError):
    """An object has more bytes than its reader takes."""


_STATUS = re.compile(r"status code: ([0-9]{3})")
#: The server's own word for the error, such as NoSuchBucket. Only this short form is taken from its answer.
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,40})</Code>")
_BAD_PATH = re.compile(r"""[Pp]ath "(.*?)"(: Encountered| contained)""", re.DOTALL)
#: How the client ends its words about a file of this machine.
_OS_ERROR = re.compile(r"\(os error ([0-9]+)\)$")
#: The address at which clouds give a machine its credentials. The client asks there if the environment has none.
_METADATA_SERVER = "169.254.169.254"
_TIMED_OUT = re.compile(r"timed ?out|operation timed", re.IGNORECASE)


def explained(error: BaseException, place: str) -> StorageError | OSError:
    """The error to raise for one of the client. place: the URL of what was asked for, without any signature.

    An OSError if the file of this machine that was to be sent can't be read. The client has the same class for it as
    for a missing object.
    """
    if isinstance(error, OSError) and (number := _number_of(error)):
        return OSError(number, f"The file that was to be sent to {place} can't be read: {os.strerror(number)}")
    text = str(error)
    kind = type(error).__name__
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    code = found[1] if (found := _CODE.search(text)) else ""
    said = f" ({code})" if code else ""
    if kind == "InvalidPathError" or (kind == "ValueError" and "parse path" in text):
        name = found[1] if (found := _BAD_PATH.search(text)) else ""
        return BadNameError(
            f"Below {place} there is an object with a name that no file can have: {name[:300]!r}. It has an empty "
            'name, ".", ".." or a control character between its slashes; rename or delete it.'
        )
    if "must be specified" in text or _METADATA_SERVER in text or "token request" in text:
        return DeniedError(
            f"There are no credentials to reach {place}: neither in the environment of this process (AWS_…, GOOGLE_…, "
            "AZURE_…), nor by a role of its machine."
        )
    if code == "NoSuchBucket":
        return MissingObjectError(f"The bucket of {place} does not exist; check its name and [storage] endpoint.")
    if isinstance(error, FileNotFoundError) or status == 404:
        return MissingObjectError(f"There is no object {place}.")
    if kind in ("AlreadyExistsError", "PreconditionError") or status in (409, 412):
        return ConflictError(f"{place} was written by somebody else in the meantime.")
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or status in (401, 403):
        return DeniedError(
            f"Object storage does not allow access to {place}{said}; give this process credentials that may read and "
            "write there, by its environment or the role of its machine."
        )
    return UnreachableError(f"Object storage failed for {place}: {_reason(text, status, said)}; try again later.")


def _number_of(error: OSError) -> int:
    """The number of an error of this machine's system; 0 for an error that came from the storage."""
    found = _OS_ERROR.search(str(error))
    return error.errno or (int(found[1]) if found else 0)


def _reason(text: str, status: int, said: str) -> str:
    if status:
        return f"the server answered {status}{said}"
    if _TIMED_OUT.search(text):
        return "the server did not answer in time"
    return "there is no connection to the server, or it broke off"
