"""Options of commands that take name=value and may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from service.command_error import CommandError
from service.exit_codes import ExitCode

NameValues = Annotated[tuple[str, ...], Parameter(n_tokens=1, allow_repeating=True)]


def name_values(given: Sequence[str], option: str) -> dict[str, str]:
    """The names with their values. option: its name, for the error. Raises CommandError if one is not name=value."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise CommandError(f"{option} {text} has no value; write {option} name=value.", ExitCode.BAD_COMMAND_LINE)
        if name in found:
            raise CommandError(f"{option} {name} is given twice.", ExitCode.BAD_COMMAND_LINE)
        found[name] = value
    return found
