"""One line of the doctor: its topic, verdict, sentence and cure."""

from __future__ import annotations

import enum

import msgspec


class Verdict(enum.StrEnum):
    """OK: nothing to do. WARN: it works, but not as well as it could, or not for long. BAD: something will fail."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Result(msgspec.Struct, frozen=True):
    """topic: what was looked at. sentence: what is the case. cure: what to do, "" if there is nothing to do."""

    topic: str
    verdict: Verdict
    sentence: str
    cure: str = ""


def ok(topic: str, sentence: str) -> Result:
    return Result(topic, Verdict.OK, sentence)


def warn(topic: str, sentence: str, cure: str) -> Result:
    return Result(topic, Verdict.WARN, sentence, cure)


def bad(topic: str, sentence: str, cure: str) -> Result:
    return Result(topic, Verdict.BAD, sentence, cure)
