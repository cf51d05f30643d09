"""Types of calls that the table of routes does not have yet. They move to types.py as the table gets them."""

from __future__ import annotations

from typing import Any

import msgspec


class Project(msgspec.Struct):
    user_id: str


class Queue(msgspec.Struct):
    queue: list[Any]


class TrainTypeList(msgspec.Struct):
    train_types: list[Any]


class Server(msgspec.Struct):
    version: str
