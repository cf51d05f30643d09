"""The pools of workers that the cluster's controller keeps, as it reports them. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import Number, Whole, Word
from protocol.labels import Labels

MAX_POOLS = 32
MAX_REASON_CHARS = 500


class PoolInfo(msgspec.Struct, frozen=True, gc=False):
    """One pool of equal workers.

    labels: what each of its workers has. max_workers: 0 means that it starts none. wanted: how many workers it aims
    for. starting: those that Ray has been asked for and that have not said Hello. running: those that have.
    draining: those of them that take no new task, and end. reason: a sentence on the last decision. at_s: when it was
    made, in seconds since the epoch.
    """

    name: Word
    labels: Labels = {}
    min_workers: Whole = 0
    max_workers: Whole = 0
    wanted: Whole = 0
    starting: Whole = 0
    running: Whole = 0
    draining: Whole = 0
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARS)] = ""
    at_s: Number = 0.0


Pools = Annotated[tuple[PoolInfo, ...], Meta(max_length=MAX_POOLS)]
