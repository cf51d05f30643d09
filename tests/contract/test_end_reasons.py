"""Why a training ended is said by protocol.end_reason.EndReason, never by a bare word."""

from __future__ import annotations

import ast

from protocol.end_reason import EndReason
from tests.contract.test_imports import name_of, product_files

WORDS = {reason.value for reason in EndReason if reason.value}
#: Words that look like an end reason but are something else: what the agent's log says became of an attempt.
OTHER_WORDS = {("trainer_worker/agent/state.py", "stopped")}


def bare_words(code: str) -> set[str]:
    """The end reasons among the string literals of this code. A key of a dict names a field, so it does not count."""
    tree = ast.parse(code)
    keys = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    literals = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in keys]
    return {node.value for node in literals if isinstance(node.value, str)} & WORDS


def test_no_end_reason_is_a_bare_word() -> None:
    files = [(name_of(file), file) for file in product_files() if not name_of(file).startswith("protocol/")]
    found = {(name, word) for name, file in files for word in bare_words(file.read_text())}
    assert found <= OTHER_WORDS


def test_a_bare_word_is_found_where_it_is_compared_or_assigned() -> None:
    assert bare_words('if reason == "budget": end_reason = "diverged"') == {"budget", "diverged"}
    assert bare_words('details = {"epochs": 3}') == set()
