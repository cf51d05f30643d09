"""How large a body may be, by the path that it is sent to, and how much large bodies may take together.

Only calls that take pictures have large bodies. A caller must have a token before such a body is read, if this server
has tokens at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal

#: Large bodies that may be held at the same time, if all of them are of the largest size.
LARGE_AT_ONCE = 4


class BodyLimit(msgspec.Struct, frozen=True):
    """The limit for one call. setting: the name of the setting that it comes from. cure: what to send instead."""

    most_bytes: int
    setting: str
    cure: str
    is_large: bool = False

    def refusal(self, length: int) -> Refusal:
        """For a body of that length or longer."""
        return Refusal(
            "body_too_large",
            f"The body has {length} bytes or more and the limit is {self.most_bytes} ([web] {self.setting}); "
            f"{self.cure}.",
        )


def usual_limit(most_bytes: int) -> BodyLimit:
    """For all calls without pictures."""
    return BodyLimit(most_bytes, "max_body_bytes", "post the folder's path, not the photos")


class BodyLimits:
    """Which limit a request has, and how many bytes of large bodies are held until their calls are answered."""

    def __init__(
        self, usual: BodyLimit, large_bytes: int, large_paths: Iterable[str], admit: Callable[[HTTPHeaders], Any]
    ) -> None:
        """large_paths: regular expressions of the paths that take large bodies by POST. admit: raises Refusal for the
        headers of a caller who is not admitted."""
        self._usual = usual
        self._large = BodyLimit(
            large_bytes, "max_predict_body_mb", "send fewer or smaller pictures in one call", is_large=True
        )
        self._paths = re.compile("|".join(large_paths) or r"(?!)")
        self._admit = admit
        self._left_bytes = LARGE_AT_ONCE * large_bytes

    def of(self, method: str, path: str, headers: HTTPHeaders) -> BodyLimit:
        """The limit of a request. Raises Refusal if it would be a large one, but the caller is not admitted."""
        if method != "POST" or not self._paths.fullmatch(path.partition("?")[0]):
            return self._usual
        self._admit(headers)
        return self._large

    def lease(self) -> BodyLease:
        """For one large body."""
        return BodyLease(self)

    def take(self, size: int) -> None:
        """Raises Refusal if there is no room for so many bytes."""
        if size > self._left_bytes:
            raise Refusal(
                "predict_busy", "This server holds too many pictures for predictions already; try again in a moment."
            )
        self._left_bytes -= size

    def give_back(self, size: int) -> None:
        """So many bytes that were taken are no longer held."""
        self._left_bytes += size


class BodyLease:
    """What one large body takes of the room for all of them, from its first byte until its call has been answered."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held_bytes = 0

    def take(self, size: int) -> None:
        """A part of the body has arrived. Raises Refusal if there is no room for it."""
        self._limits.take(size)
        self._held_bytes += size

    def release(self) -> None:
        """The body is no longer held. May be called again."""
        self._limits.give_back(self._held_bytes)
        self._held_bytes = 0
