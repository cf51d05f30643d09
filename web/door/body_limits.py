"""How large a body may be, by the path that it is sent to, and how much large bodies may take together.

Only calls that take pictures have large bodies. A caller must have a token before such a body is read, if this server
has tokens at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal


class BodyLimit(msgspec.Struct, frozen=True):
    """The limit for one kind of call. origin: where it is set. cure: what to send instead.

    room_bytes: what all large bodies of the kind may take together until they are answered; 0 for usual ones, which are
    not counted. busy: the code of the refusal when that is used up.
    """

    most_bytes: int
    origin: str
    cure: str
    room_bytes: int = 0
    busy: str = ""

    @property
    def is_large(self) -> bool:
        return bool(self.room_bytes)

    def refusal(self, length: int) -> Refusal:
        """For a body of that length or longer."""
        return Refusal(
            "body_too_large",
            f"The body has {length} bytes or more and the limit is {self.most_bytes} ({self.origin}); {self.cure}.",
        )


def usual_limit(most_bytes: int) -> BodyLimit:
    """For all calls without pictures."""
    return BodyLimit(
        most_bytes, "[web] max_body_bytes", "send less in one call, and of photos only the path of their folder"
    )


#: Large bodies of a kind that may be held at the same time, if all of them are of the largest size.
FORMS_AT_ONCE, PARTS_AT_ONCE = 4, 32


def limit_of_pictures(most_bytes: int) -> BodyLimit:
    """For pictures to be predicted."""
    cure = "send fewer or smaller pictures in one call"
    return BodyLimit(most_bytes, "[web] max_predict_body_mb", cure, FORMS_AT_ONCE * most_bytes, "predict_busy")


def limit_of_parts(most_bytes: int) -> BodyLimit:
    """For the parts of an uploaded picture."""
    cure = "send the picture in smaller parts"
    return BodyLimit(most_bytes, "chunkBytes of the upload", cure, PARTS_AT_ONCE * most_bytes, "uploads_busy")


class BodyLimits:
    """Which limit a request has, and how many bytes of large bodies are held until their calls are answered."""

    def __init__(self, usual: BodyLimit, large: Mapping[str, BodyLimit], admit: Callable[[HTTPHeaders], Any]) -> None:
        """large: by regular expressions of the paths that take large bodies by POST. admit: raises Refusal for the
        headers of a caller who is not admitted."""
        self._usual = usual
        self._large = [(re.compile(path), limit) for path, limit in large.items()]
        self._admit = admit
        self._left_bytes = {limit: limit.room_bytes for limit in large.values()}

    def of(self, method: str, path: str, headers: HTTPHeaders) -> BodyLimit:
        """The limit of a request. Raises Refusal if it may send a large body, but not to this caller's token."""
        limit = self._limit_of(path.partition("?")[0]) if method == "POST" else self._usual
        if limit.is_large:
            self._admit(headers)
        return limit

    def _limit_of(self, path: str) -> BodyLimit:
        return next((limit for pattern, limit in self._large if pattern.fullmatch(path)), self._usual)

    def lease(self, limit: BodyLimit) -> BodyLease:
        """For one large body of that kind."""
        return BodyLease(self, limit)

    def take(self, limit: BodyLimit, size: int) -> None:
        """Raises Refusal if there is no room for so many bytes."""
        if size > self._left_bytes[limit]:
            raise Refusal(limit.busy, "This server holds too many pictures already; try again in a moment.")
        self._left_bytes[limit] -= size

    def give_back(self, limit: BodyLimit, size: int) -> None:
        """So many bytes that were taken are no longer held."""
        self._left_bytes[limit] += size


class BodyLease:
    """What one large body takes of the room for all of its kind, from its first byte until its call is answered."""

    def __init__(self, limits: BodyLimits, limit: BodyLimit) -> None:
        self._limits = limits
        self._limit = limit
        self._held_bytes = 0

    def take(self, size: int) -> None:
        """A part of the body has arrived. Raises Refusal if there is no room for it."""
        self._limits.take(self._limit, size)
        self._held_bytes += size

    def release(self) -> None:
        """The body is no longer held. May be called again."""
        self._limits.give_back(self._limit, self._held_bytes)
        self._held_bytes = 0
