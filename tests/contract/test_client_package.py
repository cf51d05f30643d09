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


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    return table


def test_the_types_are_those_of_the_table() -> None:
    assert client_types.PATH.read_text() == client_types.written(), "run: python -m web.documents.client_types"


def test_every_path_that_the_client_calls_is_in_the_table() -> None:
    templates = {re.sub(r"\{[^}]*\}", "{}", route.template) for route in ROUTES}
    assert {path for file in python_files(PACKAGE) for path in called_paths(ast.parse(file.read_text()))} <= templates


def called_paths(code: ast.Module) -> Iterator[str]:
    """The paths in calls of path_of, with {} for each part that a caller gives, and those that are written out."""
    for node in ast.walk(code):
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
