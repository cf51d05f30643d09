"""Schemathesis sends what /openapi.json allows and what it forbids to a real server, whose trainer is a stub.

No answer may be a server error or one that is not documented, and what is forbidden must be refused. From the headers
Location and from links it learns to call a task that it has made. It tries the same cases in each run; on a slow
machine the time ends before the last of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.socket.programs import Programs
from tests.socket.stub_trainer import StubTrainer

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
#: A stream of all events never ends; each check of a folder starts a process; a worker that drains trains nothing, and
#: then /readyz is right to answer 503. tests/socket/test_openapi_examples.py makes these calls.
LEFT_OUT = ("/v1/events", "/v1/check", "/v1/workers/{name}/drain", "/readyz")
OPTIONS = (
    *("--generation-deterministic", "--max-examples", "5", "--no-shrink", "--continue-on-failure", "--no-color"),
    *("--request-timeout", "20", "--warnings", "off", "--exclude-method", "HEAD"),
    # A folder that does not exist is valid by its schema, and still refused.
    *("--exclude-checks", "positive_data_acceptance"),
    *(word for path in LEFT_OUT for word in ("--exclude-path", path)),
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("schemathesis")) as running:
        (running.projects / "flowers" / "roses").mkdir(parents=True)
        with StubTrainer(running.endpoints.worker):
            yield running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "phases", "seconds"),
    [
        ((), "examples,coverage,fuzzing,stateful", 35),
        (("--user", "7", "--read-only"), "examples,fuzzing", 10),
    ],
    ids=["a token for everything", "a token of one user that may only read"],
)
def test_every_answer_is_documented(
    programs: Programs, tmp_path: Path, words: tuple[str, ...], phases: str, seconds: int
) -> None:
    created = programs.run("server.py", "token", "create", "fuzzer" + "-narrow" * bool(words), *words)
    assert created.returncode == 0, created.stderr
    done = subprocess.run(
        [
            str(SCHEMATHESIS),
            "run",
            f"http://127.0.0.1:{programs.ports['WEB_PORT']}/openapi.json",
            *("--header", f"Authorization: Bearer {created.stdout.strip()}"),
            *("--phases", phases, "--max-time", str(seconds)),
            *OPTIONS,
        ],
        cwd=tmp_path,  # so that no settings are found, and no files are left here
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    said = "\n".join(line[:500] for line in done.stdout.splitlines())
    assert done.returncode == 0, said + done.stderr[-2000:]
    assert " generated, " in said
