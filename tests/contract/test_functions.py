"""How many parameters a function takes and how long it gets, held to our own code, tests and benchmarks."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.contract.test_imports import name_of, own_files

MOST_PARAMETERS = 5
MOST_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function with its file and name."""
    for file in own_files():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, Function):
                yield f"{name_of(file)}: {node.name}", node


def parameters(function: Function) -> list[str]:
    """Names of the parameters, without self and cls."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_no_function_takes_more_parameters_than_a_reader_can_hold() -> None:
    """What belongs together is one value with a name."""
    counts = {name: len(parameters(function)) for name, function in functions()}
    assert {name: count for name, count in counts.items() if count > MOST_PARAMETERS} == {}


def test_no_function_is_too_long_to_read_at_once() -> None:
    lengths = {name: (function.end_lineno or 0) - function.lineno + 1 for name, function in functions()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_parameters_are_counted_whatever_their_kind() -> None:
    (method,) = ast.parse("def method(self, a, /, b, *rest, c, **named): pass").body
    assert isinstance(method, ast.FunctionDef)
    assert parameters(method) == ["a", "b", "c"]
