"""Who may import what, how files are called and how long they get: the rules of ARCHITECTURE.md, held to the code."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.pure_files import PURE_FILES
from tests.waiting import TIMEOUT_S

ROOT = Path(__file__).resolve().parent.parent.parent

#: Each part of the program, and what it may import of the others.
MAY_IMPORT = {
    "protocol": set(),
    "conf": {"protocol"},
    "storage": {"protocol", "conf"},
    "broker": {"protocol", "conf", "storage"},
    "trainer_worker": {"protocol", "conf", "storage"},
    "web": {"protocol", "conf", "storage"},
    "service": {"protocol", "conf", "storage", "broker", "trainer_worker", "web"},
    "cluster": {"protocol", "conf", "storage"},
    "server.py": {"protocol", "conf", "storage", "broker", "trainer_worker", "web", "service"},
}

#: The only files that touch ZeroMQ.
ZMQ_FILES = {
    "broker/shell.py",
    "broker/endpoints.py",
    "broker/publisher.py",
    "broker/__main__.py",
    "trainer_worker/agent/loop.py",
    "trainer_worker/__main__.py",
    "web/broker_link/broker_requests.py",
    "web/broker_link/publications.py",
    "web/broker_link/message_reader.py",
    "web/app.py",
    "cluster/__main__.py",
    "cluster/broker_link.py",
    "conf/curve.py",
    "conf/broker_probe.py",
    "conf/key_rotation.py",
    "conf/worker_keys.py",
    "conf/sockets.py",
}

#: What the room of a trainType may import of the others.
OF_A_TRAIN_TYPE = {
    *("scores", "pictures", "layouts", "project", "attempt", "backbones", "optimization", "exporting", "reporting"),
    "publishing",
}
#: The rooms of trainer_worker/, and what each may import of the others. No arrow runs back up.
ROOMS = {
    "scores": set(),
    "pictures": set(),
    "layouts": {"pictures"},
    "project": {"scores", "pictures", "layouts"},
    "attempt": {"pictures", "layouts", "project"},
    "checkouts": {"pictures", "layouts", "project"},
    "backbones": {"pictures", "attempt"},
    "backbone_check": {"attempt", "backbones", "classification", "exporting"},
    "optimization": {"project", "attempt"},
    "exporting": {"project"},
    "checking": {"pictures", "layouts", "project", "checkouts", "publishing", "training"},
    "promoting": {"project", "checkouts"},
    "prediction": {"pictures", "project", "exporting", "segmentation"},
    "reporting": {"pictures"},
    "publishing": {"pictures", "layouts", "project", "attempt", "backbones", "exporting", "reporting"},
    "classification": OF_A_TRAIN_TYPE,
    "segmentation": OF_A_TRAIN_TYPE,
    "training": {"pictures", "layouts", "project", "checkouts", "attempt", "backbones", "publishing"},
    "agent": {"checkouts", "training"},
    "__main__.py": {"pictures", "training", "agent"},
}
#: Rooms in which nothing imports TensorFlow, nor a room that does. What is imported inside of functions does not count.
ROOMS_WITHOUT_TENSORFLOW = (
    "scores",
    "pictures",
    "layouts",
    "project",
    "attempt",
    "reporting",
    "promoting",
    "agent",
    "checkouts",
)
TENSORFLOW = {"tensorflow", "keras"}

IMPURE = {"time", "random", "socket", "sqlite3", "subprocess", "logging", "os", "threading", "asyncio", "uuid", "zmq"}

#: The kinds of journals, and the modules that they are read and written with.
JOURNALS = {"broker/sqlite_journal": "sqlite3", "broker/postgres_journal": "psycopg"}

#: Made by a command, so nobody reads it from top to bottom.
GENERATED = {"clients/python/tfmodel_client/types.py"}
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


@functools.cache
def all_imports(file: Path) -> set[str]:
    return imported(ast.walk(ast.parse(file.read_text())))


@functools.cache
def at_module_level(file: Path) -> set[str]:
    """Imports that run when the file is imported: all but those inside functions and `if TYPE_CHECKING`."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = list(ast.parse(file.read_text()).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        found.append(node)
        pending += ast.iter_child_nodes(node)
    return imported(iter(found))


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


def room_of(module: str) -> str:
    """The room of a module of trainer_worker; "" for any other module."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "trainer_worker" else ""


def files_of(room: str) -> list[Path]:
    return [ROOT / "trainer_worker" / room] if room.endswith(".py") else python_files(f"trainer_worker/{room}")


def test_every_file_of_the_worker_stands_in_a_room() -> None:
    assert {path.name for path in (ROOT / "trainer_worker").iterdir()} - {"__pycache__"} == {*ROOMS, "__init__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_one_way(room: str) -> None:
    for file in files_of(room):
        others = {room_of(module) for module in all_imports(file)} - {"", room}
        assert others <= ROOMS[room], f"{name_of(file)} imports {others - ROOMS[room]}"


def test_tensorflow_is_imported_by_the_trainer_process_only() -> None:
    with_tensorflow = {*ROOMS} - {*ROOMS_WITHOUT_TENSORFLOW, "training", "__main__.py"}
    for file in product_files():
        loads = at_module_level(file)
        room = room_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
        if room not in with_tensorflow:
            assert not packages(loads) & TENSORFLOW, name_of(file)
        if room in ROOMS_WITHOUT_TENSORFLOW:
            assert not {room_of(module) for module in loads} & with_tensorflow, name_of(file)


def test_opentelemetry_is_imported_only_where_traces_are_on() -> None:
    """It is not part of requirements.txt, so an import at module level would end the program."""
    users = {name_of(file) for file in product_files() if "opentelemetry" in packages(all_imports(file))}
    assert users == {"conf/tracing.py", "web/calls/posting.py"}
    for name in users:
        assert "opentelemetry" not in packages(at_module_level(ROOT / name)), name


def test_only_the_store_knows_which_kind_of_journal_there_is() -> None:
    """Neither kind knows the other, and the rest of the broker and all commands see only what both have."""
    for file in product_files():
        imports = all_imports(file)
        own = next((kind for kind in JOURNALS if name_of(file).startswith(f"{kind}/")), "")
        known = {kind for kind in JOURNALS for module in imports if module.startswith(kind.replace("/", "."))}
        allowed = set(JOURNALS) if name_of(file) == "broker/journal_store.py" else {own}
        assert known <= allowed, name_of(file)
        drivers = {driver for kind, driver in JOURNALS.items() if kind != own and driver in packages(imports)}
        assert not drivers or name_of(file).startswith("web/"), f"{name_of(file)}: the front-end has files of its own"


def test_the_driver_of_postgresql_is_loaded_for_a_journal_there_alone() -> None:
    """It is not part of requirements.txt."""
    assert "broker.postgres_journal.store" not in at_module_level(ROOT / "broker" / "journal_store.py")


def test_what_scores_an_export_has_none_of_the_code_that_trained_it() -> None:
    for file in python_files("trainer_worker/exporting/runtimes"):
        assert not packages(all_imports(file)) & {name.removesuffix(".py") for name in MAY_IMPORT}, name_of(file)


def test_only_one_room_touches_what_the_worker_keeps_in_a_project() -> None:
    """All others go through it: it opens folders by descriptor, and follows no link."""
    named = {
        name_of(file)
        for file in python_files("trainer_worker")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in ("models", ".tfmodel")
    }
    # Litter is told by its name. All others take the names from protocol/project_layout.py.
    assert named == set()
    users = {name_of(file) for file in python_files("trainer_worker") if "protocol.project_layout" in all_imports(file)}
    assert users
    # layouts/tree.py tells the user's folders from ours. The copies that checkouts/ makes are the worker's own, so
    # nobody else can put a link there.
    others = {"trainer_worker/layouts", "trainer_worker/checkouts"}
    assert {Path(name).parent.as_posix() for name in users} - {"trainer_worker/project"} <= others


def test_the_room_of_projects_writes_and_removes_nothing_by_path() -> None:
    """A path may lead through a link that was not there a moment ago; conf/directory.py works by descriptors."""
    by_path = {"write_bytes", "write_text", "mkdir", "unlink", "rmdir", "rmtree", "symlink_to", "touch", "copytree"}
    for file in python_files("trainer_worker/project"):
        names = {node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & by_path, name_of(file)


@pytest.mark.parametrize(
    "modules",
    [
        ["web.app", "server"],
        ["broker.__main__"],
        ["trainer_worker.__main__", "trainer_worker.agent.loop", "trainer_worker.agent.core"],
        ["service.service_commands"],
        ["trainer_worker.prediction.__main__"],
    ],
)
def test_starting_front_end_broker_or_agent_does_not_load_tensorflow(modules: list[str]) -> None:
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_a_command_loads_nothing_of_the_others() -> None:
    """`status` is typed often, and does not wait for the imports of the front-end."""
    code = (
        "import sys\n"
        "from service.command_line import main\n"
        "main([*sys.argv[2:]])\n"
        "sys.stderr.write(str(sorted(set(sys.argv[1].split()) & sys.modules.keys())))"
    )
    for unwanted, *words in (
        ("tornado httpx zmq numpy sklearn PIL", "status"),
        ("tornado httpx zmq numpy sklearn PIL", "--help"),
        ("tornado zmq numpy sklearn PIL", "tasks"),
    ):
        # With a bad setting, none of these commands gets further than its imports.
        environ = {**os.environ, "TFMODEL_WEB_PORT": "none"}
        done = subprocess.run(
            [sys.executable, "-c", code, unwanted, *words],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.stderr.endswith("[]"), (words, done.stderr)


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
    folders = [part for part in MAY_IMPORT if not part.endswith(".py")] + ["tests", "benchmarks", "demo", "clients"]
    found = (file for folder in folders for file in python_files(folder))
    return [ROOT / "server.py", *(file for file in found if name_of(file) not in GENERATED)]


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
