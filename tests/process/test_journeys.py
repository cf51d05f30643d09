"""The examples in clients/, as a newcomer runs them: from a folder of photos to a prediction, on a real service."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.process.service_under_test import PATIENCE_S, REPOSITORY, ServiceUnderTest
from tests.process.small_projects import digit_pictures, make_digits_project
from tests.readme import code_blocks
from web.routes import ROUTES

CLIENTS = REPOSITORY / "clients"
MOST_LINES = 25
#: What the examples call beside the calls of every server.
CALLED = {"/v1/tasks/{taskId}/predict", "/v1/tasks/{taskId}/artifacts", "/v1/tasks/{taskId}/events"}
#: With fewer pictures, the score of the model would need several trainings.
PER_CLASS = 100
#: The digit of the picture that the examples ask about. No model has seen it.
DIGIT = 1

pytestmark = pytest.mark.skipif(
    not {route.template for route in ROUTES} >= CALLED,
    reason=f"This server does not have all of {', '.join(sorted(CALLED))} yet.",
)


class Example(NamedTuple):
    """file: in clients/. command: what runs it. needs: programs that it calls beside that."""

    file: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()


EXAMPLES = {
    "python": Example("python/example.py", (sys.executable,)),
    "php": Example("php/example.php", ("php",)),
    "node": Example("node/example.mjs", ("node",)),
    "curl": Example("curl/example.sh", ("sh",), ("curl", "jq")),
}


@pytest.fixture(scope="module")
def folder(started: ServiceUnderTest) -> Path:
    """One folder for all examples: the first one trains on it, and the others get its model, as nothing has changed."""
    return make_digits_project(started.projects / "journeys", PER_CLASS)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "unseen.png"
    digit_pictures(DIGIT, 1, skip=PER_CLASS)[0].save(path)
    return path


def run(service: ServiceUnderTest, words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "TFMODEL_SERVER": service.address}
    return subprocess.run(
        words, cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.fixture(params=EXAMPLES)
def words(request: pytest.FixtureRequest) -> list[str]:
    """The command that runs an example."""
    example = EXAMPLES[request.param]
    for program in (*example.command, *example.needs):
        if shutil.which(program) is None:
            pytest.skip(f"There is no {program} here; `make runtimes` installs it where it can.")
    return [*example.command, str(CLIENTS / example.file)]


def test_an_example_goes_from_a_folder_to_a_prediction(
    service: ServiceUnderTest, words: list[str], folder: Path, picture: Path, tmp_path: Path
) -> None:
    done = run(service, [*words, str(folder), str(picture)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    accuracy = re.search(r"accuracy: ([01]\.?\d*)", done.stdout)
    assert accuracy is not None, done.stdout
    assert float(accuracy[1]) > 0.8
    assert re.search(rf"unseen\.png: {DIGIT} \((0\.[5-9]\d*|1\.0*|1)\)", done.stdout), done.stdout
    (model,) = tmp_path.rglob("model.tflite")
    assert model.read_bytes() in [path.read_bytes() for path in folder.glob("models/*/model.tflite")]


def test_an_example_says_what_is_wrong_with_the_folder(
    service: ServiceUnderTest, words: list[str], picture: Path, tmp_path: Path
) -> None:
    done = run(service, [*words, "/etc", str(picture)], tmp_path)
    assert done.returncode != 0
    assert "data_roots" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_is_short_enough_to_copy(example: Example) -> None:
    lines = (CLIENTS / example.file).read_text().splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 120


def test_the_quick_start_of_ten_lines_works(
    service: ServiceUnderTest, folder: Path, picture: Path, tmp_path: Path
) -> None:
    (code, *_) = [text for language, text in code_blocks(CLIENTS / "python" / "README.md") if language == "python"]
    assert len(code.splitlines()) <= 10
    shutil.copy(picture, tmp_path / "rose.jpg")
    code = code.replace("http://127.0.0.1:2333", service.address).replace('"flowers"', repr(folder.name))
    done = run(service, [sys.executable, "-c", code], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("done {")
    assert f"\n{DIGIT} 0." in done.stdout or f"\n{DIGIT} 1.0" in done.stdout
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.tflite", "labels.txt"}
