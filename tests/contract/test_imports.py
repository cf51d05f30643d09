"""Who may import what, how files are called and how long they get: the rules of ARCHITECTURE.md, held to the code."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

#: Each part of the program, and what it may import of the others.
MAY_IMPORT = {
    "protocol": set(),
    "conf": {"protocol"},
    "broker": {"protocol", "conf"},
    "trainer_worker": {"protocol", "conf"},
    "web": {"protocol", "conf"},
    "service": {"protocol", "conf", "broker", "trainer_worker", "web"},
    "server.py": {"protocol", "conf", "broker", "trainer_worker", "web", "service"},
}

#: The only files that touch ZeroMQ.
ZMQ_FILES = {
    "broker/shell.py",
    "broker/endpoints.py",
    "broker/publisher.py",
    "broker/__main__.py",
    "trainer_worker/agent.py",
    "trainer_worker/__main__.py",
    "web/broker_requests.py",
    "web/publications.py",
    "web/message_reader.py",
    "web/app.py",
    "conf/curve.py",
    "conf/sockets.py",
}

#: Files that run in the trainer process only, and so may import TensorFlow at the top.
TENSORFLOW_FILES = {
    "trainer_worker/adam.py",
    "trainer_worker/muon.py",
    "trainer_worker/publishing.py",
    "trainer_worker/classifier_record.py",
    "trainer_worker/labelled_pictures.py",
    "trainer_worker/exports.py",
    "trainer_worker/features.py",
    "trainer_worker/fine_tuning.py",
    "trainer_worker/mask_losses.py",
    "trainer_worker/mask_predictions.py",
    "trainer_worker/runtimes/tensorflow_models.py",
    "trainer_worker/segmenter_record.py",
    "trainer_worker/skip_features.py",
    "trainer_worker/quick_twins.py",
    "trainer_worker/unet.py",
    "trainer_worker/unet_training.py",
}
TENSORFLOW_FOLDERS = ("trainer_worker/trainers/", "trainer_worker/backbones/")
TENSORFLOW = {"tensorflow", "keras"}

#: Pure files: no clock, randomness, socket, database, process or log.
PURE_FILES = (
    *("broker/core.py", "broker/policy.py", "broker/queue.py", "broker/workers.py", "broker/facts.py"),
    *("broker/answers.py", "broker/request_keys.py", "broker/events.py", "broker/state.py", "broker/claims.py"),
    *("trainer_worker/agent_core.py", "trainer_worker/agent_events.py", "trainer_worker/agent_state.py"),
    "trainer_worker/progress_clock.py",
    "trainer_worker/backbones/choice.py",
    *("web/task_cache.py", "web/eta.py", "web/door_rules.py", "web/path_hints.py", "web/form.py"),
    "web/views.py",
    *("protocol/messages.py", "protocol/task.py", "protocol/errors.py", "protocol/options.py", "protocol/bounds.py"),
)
IMPURE = {"time", "random", "socket", "sqlite3", "subprocess", "logging", "os", "threading", "asyncio", "uuid", "zmq"}

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
MOST_LINES = 400


def product_files() -> list[Path]:
    return [file for part in MAY_IMPORT for file in ([ROOT / part] if part.endswith(".py") else python_files(part))]


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def imported(nodes: list[ast.stmt] | Iterator[ast.AST]) -> set[str]:
    """Full names of the modules that these statements import."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            names.add(node.module or "")
    return names


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def all_imports(file: Path) -> set[str]:
    return imported(ast.walk(ast.parse(file.read_text())))


def at_module_level(file: Path) -> set[str]:
    """Imports that run when the file is imported: all but those inside functions and `if TYPE_CHECKING`."""
    found: list[ast.stmt] = []
    pending = list(ast.parse(file.read_text()).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        found.append(node)
        pending += [child for child in ast.walk(node) if isinstance(child, ast.stmt) and child is not node]
    return imported(found)


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    files = [ROOT / part] if part.endswith(".py") else python_files(part)
    assert files, f"{part} has gone; correct this test"
    for file in files:
        ours = packages(all_imports(file)) & {name.removesuffix(".py") for name in MAY_IMPORT}
        assert ours <= MAY_IMPORT[part] | {part.removesuffix(".py")}, name_of(file)


def test_no_part_of_the_program_imports_tests_demo_or_benchmarks() -> None:
    for file in product_files():
        assert not packages(all_imports(file)) & {"tests", "demo", "benchmarks", "pytest", "hypothesis"}, name_of(file)


def test_only_the_edges_touch_zeromq() -> None:
    assert {name_of(file) for file in product_files() if "zmq" in packages(all_imports(file))} <= ZMQ_FILES


@pytest.mark.parametrize("name", PURE_FILES)
def test_pure_files_reach_for_nothing_outside(name: str) -> None:
    assert not packages(all_imports(ROOT / name)) & IMPURE


def test_tensorflow_is_imported_by_the_trainer_process_only() -> None:
    for file in product_files():
        name = name_of(file)
        if name in TENSORFLOW_FILES or name.startswith(TENSORFLOW_FOLDERS):
            continue
        loads = at_module_level(file)
        assert not packages(loads) & TENSORFLOW, name
        behind = {module for module in loads if module.replace(".", "/") + ".py" in TENSORFLOW_FILES}
        behind |= {module for module in loads if (module.replace(".", "/") + "/").startswith(TENSORFLOW_FOLDERS)}
        assert not {m for m in behind if loads_tensorflow(m)}, f"{name} gets TensorFlow by way of {behind}"


def test_what_scores_an_export_has_none_of_the_code_that_trained_it() -> None:
    for file in python_files("trainer_worker/runtimes"):
        assert not packages(all_imports(file)) & {name.removesuffix(".py") for name in MAY_IMPORT}, name_of(file)


def test_only_one_room_touches_what_the_worker_keeps_in_a_project() -> None:
    """All others go through it: it opens folders by descriptor, and follows no link."""
    named = {
        name_of(file)
        for file in python_files("trainer_worker")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in ("models", ".tfmodel")
    }
    # The other one tells class folders from ours.
    assert named == {"trainer_worker/project/folder.py", "trainer_worker/data/class_folders.py"}


def test_the_room_of_projects_writes_and_removes_nothing_by_path() -> None:
    """A path may lead through a link that was not there a moment ago; directory.py works by descriptors."""
    by_path = {"write_bytes", "write_text", "mkdir", "unlink", "rmdir", "rmtree", "symlink_to", "touch", "copytree"}
    for file in python_files("trainer_worker/project"):
        if file.name != "directory.py":
            names = {node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)}
            assert not names & by_path, name_of(file)


def loads_tensorflow(module: str) -> bool:
    file = ROOT / (module.replace(".", "/") + ".py")
    return file.exists() and bool(packages(at_module_level(file)) & TENSORFLOW)


@pytest.mark.parametrize(
    "modules",
    [
        ["web.app", "server"],
        ["broker.__main__"],
        ["trainer_worker.__main__", "trainer_worker.agent", "trainer_worker.agent_core"],
        ["service.commands"],
    ],
)
def test_starting_front_end_broker_or_agent_does_not_load_tensorflow(modules: list[str]) -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_nothing_happens_when_a_file_is_imported() -> None:
    """No socket, client, thread or look at the environment at module level."""
    for file in product_files():
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
                continue
            text = ast.unparse(node)
            for forbidden in ("os.environ", "os.getenv", "zmq.Context(", ".Thread(", "socket.socket("):
                assert forbidden not in text, f"{name_of(file)}: {text}"


def own_files() -> list[Path]:
    folders = [part for part in MAY_IMPORT if not part.endswith(".py")] + ["tests", "benchmarks", "demo"]
    return [ROOT / "server.py", *(file for folder in folders for file in python_files(folder))]


def test_no_file_is_called_by_a_word_that_says_nothing() -> None:
    for file in own_files():
        words = set(file.stem.strip("_").split("_")) | set(file.relative_to(ROOT).parent.parts)
        assert not words & EMPTY_NAMES, name_of(file)


def test_no_file_is_too_long_to_read_at_once() -> None:
    lengths = {name_of(file): len(file.read_text().splitlines()) for file in own_files()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_file_says_what_it_is_for() -> None:
    for file in own_files():
        text = file.read_text()
        assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{name_of(file)} has no docstring"
