"""The table of findings in docs/layouts.md has exactly the codes that the code gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from conf.settings import ROOT
from protocol.errors import FAILURE_CODES

DOCUMENT = ROOT / "docs" / "layouts.md"
CODE = re.compile("[a-z]+(_[a-z0-9]+)*")


def documented() -> list[str]:
    section = DOCUMENT.read_text().partition("\n## Findings\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z0-9_]+)` \|", section, re.MULTILINE)


def texts(node: ast.AST) -> list[str]:
    """The text constants in an expression that is the code of a finding, or chooses it."""
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def codes_by_name(tree: ast.Module) -> Iterator[str]:
    """The codes that reach `finding` by a variable `code`: from an assignment to it, from the first cell of a row in a
    table, or from the first argument of a function whose first parameter is called so."""
    takes_code = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[0].arg == "code"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["code"]:
            yield from texts(node.value)
        elif isinstance(node, ast.Tuple) and len(node.elts) >= 3:
            yield from (text for text in texts(node.elts[0]) if CODE.fullmatch(text))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in takes_code:
            yield from texts(node.args[0])


def codes_in(tree: ast.Module) -> set[str]:
    calls = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "finding"
    ]
    found = {text for call in calls for text in texts(call)}
    if any(not texts(call) for call in calls):
        by_name = set(codes_by_name(tree))
        assert by_name, "a code of a finding is computed; give it in one of the ways that codes_by_name knows"
        found |= by_name
    return found


def test_the_document_lists_every_code_that_a_finding_can_have() -> None:
    used: set[str] = set()
    for file in sorted((ROOT / "trainer_worker").rglob("*.py")):
        used |= codes_in(ast.parse(file.read_text()))
    assert len(used) > 50, "the calls of finding() have gone; correct this test"
    listed = documented()
    assert len(set(listed)) == len(listed)
    assert set(listed) == used
    assert not set(listed) & FAILURE_CODES.keys(), "errors have the codes of failed tasks"
