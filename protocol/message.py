"""The base of all messages."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, tag=True, tag_field="type", gc=False):
    """A message. The name of the class travels as `type`. protocol/task.py explains gc=False."""
