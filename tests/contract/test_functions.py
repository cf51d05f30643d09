"""How many parameters a function takes and how long it gets, held to our own code, tests and benchmarks."""

from __future__ import annotations

import ast
import functools

from tests.contract.test_imports import name_of, own_files

MOST_PARAMETERS = 5
MOST_LINES = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def functions() -> dict[str, tuple[int, int]]:
    """Parameters and lines of every function, by its file and name."""
    return {
        f"{name_of(file)}: {node.name}": (len(parameters(node)), (node.end_lineno or 0) - node.lineno + 1)
        for file in own_files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, Function)
    }


def parameters(function: Function) -> list[str]:
    """Names of the parameters, without self and cls."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_no_function_takes_more_parameters_than_a_reader_can_hold() -> None:
    """What belongs together is one value with a name."""
    assert {name: count for name, (count, _) in functions().items() if count > MOST_PARAMETERS} == {}


def test_no_function_is_too_long_to_read_at_once() -> None:
    assert {name: lines for name, (_, lines) in functions().items() if lines > MOST_LINES} == {}


def test_parameters_are_counted_whatever_their_kind() -> None:
    (method,) = ast.parse("def method(self, a, /, b, *rest, c, **named): pass").body
    assert isinstance(method, ast.FunctionDef)
    assert parameters(method) == ["a", "b", "c"]
