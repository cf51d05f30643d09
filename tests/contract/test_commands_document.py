"""docs/commands.md lists the commands and exit codes of `python server.py` as the code has them."""

from __future__ import annotations

import importlib
import inspect
import re

from conf.settings import ROOT
from service.command_line import COMMAND_GROUPS, COMMANDS, DEFAULT_SECOND_WORDS, command_line
from service.exit_codes import exit_code_table

DOCUMENT = ROOT / "docs" / "commands.md"


def function_of(path: str) -> object:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def summary_of(path: str) -> str:
    """The first line of the function's docstring."""
    return (inspect.getdoc(function_of(path)) or "").splitlines()[0]


def command_rows() -> list[tuple[str, str]]:
    """The rows of the first table: command and summary."""
    rows = [(command.name, command.summary) for command in COMMANDS]
    for name, (_, _, functions) in COMMAND_GROUPS.items():
        for second_word, function in functions.items():
            words = name if DEFAULT_SECOND_WORDS.get(name) == second_word else f"{name} {second_word}"
            rows.append((words, summary_of(function)))
    return [(f"`python server.py {words}`", summary) for words, summary in rows]


def table_below(heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table below a heading, without its head."""
    section = DOCUMENT.read_text().partition(f"\n{heading}\n")[2]
    rows = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", section, re.MULTILINE)
    assert rows is not None, heading
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows[1].splitlines()]


def test_every_command_is_listed_as_its_help_describes_it() -> None:
    assert table_below("## All commands") == command_rows()


def test_the_list_of_commands_says_what_the_help_of_each_begins_with() -> None:
    """The list of `--help` is made without importing the functions, so it has summaries of its own."""
    assert {command.name: summary_of(command.function) for command in COMMANDS} == {
        command.name: command.summary for command in COMMANDS
    }


def test_every_exit_code_is_listed() -> None:
    assert table_below("## Exit codes") == exit_code_table()


def test_every_command_but_those_that_print_no_data_takes_json() -> None:
    without = []
    for command in COMMANDS:
        arguments = command_line()[command.name].assemble_argument_collection()
        if not any("--json" in argument.names for argument in arguments):
            without.append(command.name)
    assert without == ["run", "completion"]
