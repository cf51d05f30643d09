"""The base of all messages, and the limit that they share."""

from __future__ import annotations

import msgspec

#: The most items in one message. The broker splits longer lists into several messages.
MAX_LISTED = 10_000


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="type", gc=False):
    """A message. The name of the class travels as `type`. protocol/task.py explains gc=False."""
