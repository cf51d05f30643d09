"""PROTOCOL.md lists exactly the messages and fields that the code has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol import wire

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "PROTOCOL.md"

#: Heading of each section with a table of messages, and the unions that it lists.
DIRECTIONS: dict[str, tuple[Any, ...]] = {
    "Front-end to broker": (m.WebToBroker,),
    "Broker to front-end": (m.BrokerToWeb,),
    "Worker to broker": (m.WorkerToBroker,),
    "Broker to worker": (m.BrokerToWorker,),
    "Collected": (m.Collected,),
    "Published": (m.Published,),
    "Between agent and trainer process": (piped.AgentToTrainer, piped.TrainerToAgent),
}


def section(heading: str) -> str:
    """The text below a heading of any level, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"PROTOCOL.md has no section {heading!r}"
    return found[1]


def rows(heading: str) -> list[list[str]]:
    """The cells of the section's table rows, without header and rule."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def fields_of(message: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(message)]


@pytest.mark.parametrize("heading", DIRECTIONS)
def test_each_direction_lists_its_messages_with_their_fields(heading: str) -> None:
    listed = {quoted(row[0])[0]: quoted(row[1]) for row in rows(heading)}
    messages = [message for union in DIRECTIONS[heading] for message in get_args(union) or (union,)]
    assert listed == {message.__name__: fields_of(message) for message in messages}
    assert len(rows(heading)) == len(listed), "a message is listed twice"


def test_each_row_says_who_answers_and_what_its_loss_means() -> None:
    for heading in DIRECTIONS:
        for row in rows(heading):
            assert len(row) == 4, row
            assert all(row[2:]), row


def test_the_version_is_the_codes() -> None:
    assert f"Version: `{wire.VERSION.decode()}`" in DOCUMENT.read_text()
