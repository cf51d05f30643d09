"""The Python client: its types follow the table of calls, and what its package and documents say holds."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from conf.settings import ROOT
from tests.contract.test_imports import all_imports, packages, python_files
from tfmodel_client import AsyncClient, Client
from tfmodel_client.calls import SubmissionExtras
from tfmodel_client.paths import camel
from tfmodel_client.version import VERSION
from web.api.tasks import NewTask
from web.documents import client_types
from web.routes import ROUTES

CLIENT = ROOT / "clients" / "python"
PACKAGE = "clients/python/tfmodel_client"

#: The calls of the table that the client does not make, and why.
LEFT_OUT = {
    "pollTask": "the original API; `task` tells more",
    "postFolder": "the original API; `submit` does the same",
    "getReport": "`download` has report.html; a page that shows it must pass on the headers of this call",
    "getArtifactsZip": "`download` loads all files, checks each of them, and goes on where it was cut",
    "getSession": "for browsers, which sign in with a cookie",
    "signIn": "for browsers, which sign in with a cookie",
    "signOut": "for browsers, which sign in with a cookie",
    "getMetrics": "for Prometheus, which reads its own format",
    "getHealth": "for whatever keeps the server running, which needs no client",
    "getReadiness": "for whatever keeps the server running, which needs no client",
    "getOpenApi": "for makers of clients in other languages",
    "getDocs": "a page for people",
    "getErrorDocs": "a page for people",
    "getStaticFile": "for the pages",
}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    return table


def test_the_types_are_those_of_the_table() -> None:
    assert client_types.PATH.read_text() == client_types.written(), "run: python -m web.documents.client_types"


def test_every_call_of_the_table_is_in_the_client_or_left_out_for_a_reason() -> None:
    """A new route needs a call in clients/python, or a line in LEFT_OUT."""
    table = {
        (method, re.sub(r"\{[^}]*\}", "{}", route.template)): call.name
        for route in ROUTES
        for method, call in route.calls.items()
    }
    made = {call for file in python_files(PACKAGE) for call in made_calls(ast.parse(file.read_text()))}
    assert made <= table.keys()
    assert {name for call, name in table.items() if call not in made} == LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


def made_calls(code: ast.Module) -> Iterator[tuple[str, str]]:
    """Method and path of each request that a module makes, with {} for each part of a path that a caller gives."""
    for function in (node for node in ast.walk(code) if isinstance(node, ast.FunctionDef)):
        # A path may be put into a variable first, which may have several values.
        named: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name):
                named.setdefault(name.id, []).append(node.value)
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Name(id="Request"), args=[ast.Constant(value=str(method)), path, *_]):
                    pass
                case ast.Call(func=ast.Name(id="post"), args=[path, *_]):
                    method = "POST"
                case ast.Call(func=ast.Name(id="EventSource" | "_jpeg"), args=[path, *_]):
                    method = "GET"
                case _:
                    continue
            values = named.get(path.id, []) if isinstance(path, ast.Name) else [path]
            yield from ((method, each) for value in values for each in paths_in(value))


def paths_in(expression: ast.expr) -> Iterator[str]:
    for node in ast.walk(expression):
        match node:
            case ast.Call(func=ast.Name(id="path_of"), args=parts):
                yield "".join(f"/{part.value!s}" if isinstance(part, ast.Constant) else "/{}" for part in parts)
            case ast.Constant(value=str(path)) if path.startswith("/v1/"):
                yield path


def test_submit_takes_the_fields_of_a_new_task() -> None:
    taken = {"userId", "projectId", "projectDir", "trainType", *SubmissionExtras.__annotations__} - {"key"}
    assert taken == {field.encode_name for field in msgspec.structs.fields(NewTask)}


def test_it_needs_nothing_but_httpx_and_msgspec() -> None:
    needed = {re.match(r"[a-z-]+", line)[0] for line in project()["dependencies"]}  # type: ignore[index]
    assert needed == {"httpx", "msgspec"}
    for file in python_files(PACKAGE):
        others = packages(all_imports(file)) - sys.stdlib_module_names - {"tfmodel_client", *needed}
        # Type checkers know typing_extensions by themselves. rich is there if the caller has installed it.
        assert others <= {"rich", "typing_extensions"}, file.name


def test_the_server_installs_it_with_all_that_it_needs() -> None:
    lines = [line.partition(" ")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert "-e ./clients/python" in [
        line.partition("  ")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()
    ]
    assert {line.partition("==")[0] for line in lines} >= {"httpx", "httpcore", "h11", "anyio", "certifi", "idna"}


def test_versions_and_licences_agree() -> None:
    assert project()["version"] == VERSION
    assert (CLIENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_checks_are_made_for_the_oldest_python_that_it_runs_with() -> None:
    oldest = project()["requires-python"].removeprefix(">=")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["per-file-target-version"]
    assert settings == {"clients/python/**": f"py{oldest.replace('.', '')}"}
    assert f"mypy --python-version {oldest} clients/python" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_readme_names_every_call_and_no_other(kind: type) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (CLIENT / "README.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for name in vars(kind) if not name.startswith("_")} - {"close", "aclose"}


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_help_describes_every_call(kind: type) -> None:
    for name, method in vars(kind).items():
        if not name.startswith("_") and name not in ("close", "aclose"):
            assert method.__doc__, name
            assert "Plan" not in str(method.__signature__), name


def test_names_are_changed_as_the_server_does_it() -> None:
    assert [camel(field.name) for field in msgspec.structs.fields(NewTask)] == [
        field.encode_name for field in msgspec.structs.fields(NewTask)
    ]
