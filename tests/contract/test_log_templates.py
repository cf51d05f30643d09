"""Every line that the programs log is a list of keys: both log formats rely on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from conf.log_fields import conversions, pairs_of
from conf.logs import FIXED_KEYS
from tests.contract.test_imports import name_of, product_files

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
#: The key that FloodFilter adds.
ADDED_KEYS = ("trace", "left_out", "text")


def templates() -> Iterator[tuple[str, ast.expr, list[ast.expr]]]:
    """Where a line is logged, its template, and the values for it."""
    for file in product_files():
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            where, function = f"{name_of(file)}:{node.lineno}", node.func
            if isinstance(function, ast.Attribute) and function.attr in LEVELS and _is_log(function.value):
                yield where, node.args[0], node.args[1:]
            elif isinstance(function, ast.Name) and function.id == "Note":
                given = node.args[1] if len(node.args) > 1 else ast.Tuple([])
                yield where, node.args[0], given.elts if isinstance(given, ast.Tuple) else [ast.Starred(given)]


def _is_log(value: ast.expr) -> bool:
    return ast.unparse(value) == "log" or ast.unparse(value).startswith("logging.getLogger(")


FOUND = [each for each in templates() if ast.unparse(each[1]) != "instruction.template"]


def test_the_lines_are_found() -> None:
    assert len(FOUND) > 50


@pytest.mark.parametrize(("where", "template", "values"), FOUND, ids=[where for where, _, _ in FOUND])
def test_a_line_is_an_action_and_keys_of_its_own(where: str, template: ast.expr, values: list[ast.expr]) -> None:
    assert isinstance(template, ast.Constant), f"{where}: write one constant as the template, and pass values beside it"
    text = str(template.value)
    keys = [key for key, _ in pairs_of(text)]
    assert keys[0] == "action"
    assert len(set(keys)) == len(keys)
    assert not set(keys[1:]) & {*FIXED_KEYS, *ADDED_KEYS}, "these keys have their own meaning in a JSON line"
    if not any(isinstance(value, ast.Starred) for value in values):
        assert len(conversions(text)) == len(values)
