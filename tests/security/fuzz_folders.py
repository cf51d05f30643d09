"""Hostile project folders, from a seed: nothing beside them may be read or changed, and every task gets an answer.

Each input is one task, and one check, in a folder that was prepared at random: a changed file of ours below models/ or
.tfmodel/, odd things among the user's pictures and masks, or somebody who exchanges folders for links to another user's
project as fast as he can meanwhile. Beside it lies that other project. Its files are compared byte by byte afterwards,
and each read of them is counted while tasks and checks run.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from conf.settings import ROOT
from protocol.data_report import DataReport, Severity
from protocol.errors import FAILURE_CODES, FailureClass
from protocol.folder_check import CheckOrder
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from protocol.task import TaskSpec
from tests.sample_tasks import hex_id
from tests.security.mutations import HUGE_BYTES, mutate
from tests.security.outside import ReadWatch, reads_of, snapshot
from tests.security.project_worker import spec_of
from trainer_worker.checking.__main__ import check

LONGEST_TASK_S = 60.0
SIDE_PX = 24
TRAIN_TYPES = sorted(OPTIONS_BY_TRAIN_TYPE)
#: Whose failures are ours: none of these may come of a folder, however it was prepared.
OUR_FAULT = (FailureClass.TRAINER, FailureClass.LOST)


def fuzz_folders(inputs: int, seed: int, hostilities: Sequence[Hostility] = ()) -> dict[str, int]:
    """Train so many tasks in hostile folders; each is made so by one of `hostilities`, or of all that there are.

    Returns {"inputs": …, "files_outside_changed": …, "files_outside_read": …, "not_answering": …}. The last counts
    tasks and checks that failed by our own fault, or did not end within LONGEST_TASK_S.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="tfmodel-fuzz-") as folder:
        root = Path(folder).resolve() / "projects"
        neighbour = _make_project(root / "bert", 200)
        (root / "bert" / "secret.txt").write_text("not for anna")
        whole = _make_project(root / "whole", 0)
        with (root.parent / "worker.log").open("ab") as log, _workers(root, log.fileno()) as run:
            # Both have a model and caches: something to take away, and something to change.
            assert [run(spec_of(neighbour, "bert")), run(spec_of(whole, "anna"))] == ["", ""]
            before = snapshot(neighbour)
            with reads_of(neighbour) as watch:
                hostile = [chance.choice(hostilities or _HOSTILITIES) for _ in range(inputs)]
                read, not_answering = _rounds(hostile, whole, run, watch, chance)
        after = snapshot(neighbour)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    for path in changed:
        print(f"changed: {path}", file=sys.stderr)
    return {
        "inputs": inputs,
        "files_outside_changed": len(changed),
        "files_outside_read": read,
        "not_answering": not_answering,
    }


def _rounds(
    hostilities: Sequence[Hostility],
    whole: Path,
    run: Callable[[TaskSpec], str],
    watch: ReadWatch,
    chance: random.Random,
) -> tuple[int, int]:
    """(files of the neighbour that were read, tasks without a proper answer)."""
    neighbour, read, not_answering = whole.parent / "bert", set[str](), 0
    for number, hostility in enumerate(hostilities):
        project = whole.parent / f"round{number}"
        shutil.copytree(whole, project, symlinks=True)
        spec = spec_of(project, chance.choice(("anna", "new")))
        with hostility(project, neighbour, chance):
            code = run(spec)
            fault = _fault_of_check(spec, root=whole.parent, train_type=TRAIN_TYPES[number % len(TRAIN_TYPES)])
        if code and FAILURE_CODES.get(code, FailureClass.TRAINER) in OUR_FAULT:
            not_answering += 1
            print(f"round {number}, {hostility.__name__}: {code}", file=sys.stderr)
        if fault:
            not_answering += 1
            print(f"round {number}, {hostility.__name__}: the check {fault}", file=sys.stderr)
        if seen := watch.take():
            read |= seen.keys()
            print(f"round {number}, {hostility.__name__}: read {sorted(seen)}", file=sys.stderr)
        _remove(project)
    return len(read), not_answering


def _fault_of_check(spec: TaskSpec, root: Path, train_type: str) -> str:
    """What is wrong with the check of a folder; "" if it answered. It runs here, since a process takes too long."""
    began_s = time.monotonic()
    order = CheckOrder(msgspec.structs.replace(spec, train_type=train_type), (str(root),), began_s + 1.0)
    try:
        report = msgspec.json.decode(msgspec.json.encode(check(order)), type=DataReport)
    except Exception as error:
        return f"raised {error!r}"
    unknown = {found.code for found in report.findings if found.severity is Severity.ERROR} - FAILURE_CODES.keys()
    if unknown:
        return f"found {unknown}"
    took_s = time.monotonic() - began_s
    return f"took {took_s:.0f} s" if took_s > LONGEST_TASK_S else ""


# ---- what makes a folder hostile ----


#: What prepares a folder, and keeps being hostile to it as long as the context lasts: (project, neighbour, chance).
Hostility = Callable[[Path, Path, random.Random], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def link_to_the_neighbour(project: Path, neighbour: Path, chance: random.Random) -> Iterator[None]:
    """One picture more, which is a link to a picture of the neighbour's; nothing here is left to chance."""
    (project / "images" / "red" / "more.png").symlink_to(neighbour / "images" / "red" / "0.png")
    yield


@contextlib.contextmanager
def _change_ours(project: Path, neighbour: Path, chance: random.Random) -> Iterator[None]:
    """Files that we wrote are damaged, exchanged or made to lie."""
    for _ in range(chance.choice((1, 1, 3))):
        ours = [
            path
            for name in ("models", ".tfmodel")
            for path in (project / name).rglob("*")
            if path.is_file() and not path.is_symlink() and path.stat().st_size < HUGE_BYTES
        ]
        if ours:
            mutate(chance.choice(sorted(ours)), neighbour, chance)
    if chance.random() < 0.5:  # else the folder's model is taken over
        _picture(chance.randrange(10**6)).save(project / "images" / "red" / "new.png")
    yield


@contextlib.contextmanager
def _add_odd_things(project: Path, neighbour: Path, chance: random.Random) -> Iterator[None]:
    """Links, pipes, sockets, endless files and damaged pictures where pictures, masks and lists are looked for."""
    places = ("images", "images/red", "images/blue", "masks", ".")
    names = (
        "odd.png",
        "a.png",
        "0.png",
        "0_mask.png",
        "labels_info.txt",
        "classes.txt",
        "corrections.csv",
        "green",
        "images",
        "masks",
    )
    for _ in range(chance.choice((1, 2, 5))):
        place = project / chance.choice(places) / chance.choice(names)
        # An earlier odd thing may be a link on the way, and then this one would be put among the neighbour's files.
        if place.parent.is_dir() and place.parent.resolve() == place.parent:
            _remove(place)
            chance.choice(_ODD_THINGS)(place, neighbour, chance)
    yield


@contextlib.contextmanager
def _swap_meanwhile(project: Path, neighbour: Path, chance: random.Random) -> Iterator[None]:
    """Folders and files give way to links to the neighbour's of the same name, and come back, while the task runs."""
    ended = threading.Event()
    task_ids = (hex_id("anna"), hex_id("new"))
    places = (
        *(".", "images", "images/red", "images/red/0.png", "images/blue/3.png", "masks", "masks/0.png"),
        *("models", ".tfmodel", ".tfmodel/last", ".tfmodel/tasks", ".tfmodel/features", ".tfmodel/features/engine"),
        *(f"models/{task_id}" for task_id in task_ids),
        *(f"models/.{task_id}.1.partial" for task_id in task_ids),
    )

    def swap() -> None:
        while not ended.is_set():
            name = chance.choice(places)
            place, away = project / name, project.parent / f"away-{chance.randrange(10**9)}"
            with contextlib.suppress(OSError):
                place.rename(away)
                place.symlink_to(neighbour / name)
                place.unlink()
                away.rename(place)
            if away.exists():  # somebody made it anew meanwhile
                _remove(away)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        yield
    finally:
        ended.set()
        swapping.join()


_HOSTILITIES: tuple[Hostility, ...] = (_change_ours, _add_odd_things, _swap_meanwhile)


def _link_out(place: Path, neighbour: Path, chance: random.Random) -> None:
    place.symlink_to(
        neighbour / chance.choice((".", "images", "images/red", "images/red/0.png", "masks/0.png", "secret.txt"))
    )


def _link_loop(place: Path, neighbour: Path, chance: random.Random) -> None:
    place.symlink_to(chance.choice((place.name, "..", ".", "nowhere")))


def _pipe(place: Path, neighbour: Path, chance: random.Random) -> None:
    os.mkfifo(place)


def _socket(place: Path, neighbour: Path, chance: random.Random) -> None:
    with socket.socket(socket.AF_UNIX) as ours, contextlib.suppress(OSError):
        ours.bind(str(place)[:107])


def _endless_file(place: Path, neighbour: Path, chance: random.Random) -> None:
    with place.open("wb") as file:
        file.write(chance.randbytes(100))
        file.truncate(HUGE_BYTES)


def _damaged_picture(place: Path, neighbour: Path, chance: random.Random) -> None:
    content = bytearray((neighbour.parent / "whole" / "images" / "red" / "0.png").read_bytes())
    for _ in range(chance.choice((1, 5, 50))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    place.write_bytes(content[: chance.randrange(1, len(content) + 1)])


def _noise(place: Path, neighbour: Path, chance: random.Random) -> None:
    place.write_bytes(chance.randbytes(chance.choice((0, 1, 100, 5000))))


def _deep_folders(place: Path, neighbour: Path, chance: random.Random) -> None:
    (place / "/".join(["d"] * 200)).mkdir(parents=True)


_ODD_THINGS: tuple[Callable[[Path, Path, random.Random], None], ...] = (
    *(_link_out, _link_out, _link_loop, _pipe, _socket),
    *(_endless_file, _damaged_picture, _noise, _deep_folders),
)


# ---- the projects, and the process that trains in them ----


def _make_project(project: Path, first: int) -> Path:
    """Two classes of five pictures, and five pictures with masks; no picture is the same as another."""
    for label in ("red", "blue"):
        (project / "images" / label).mkdir(parents=True)
        for number in range(5):
            _picture(first + number + 50 * (label == "red")).save(project / "images" / label / f"{number}.png")
    (project / "masks").mkdir()
    for number in range(5):
        _picture(first + 100 + number).save(project / "images" / f"{number}.png")
        mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
        mask[: SIDE_PX // 2] = 255
        Image.fromarray(mask).save(project / "masks" / f"{number}.png")
    return project


def _picture(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    return Image.fromarray(pixels)


@contextlib.contextmanager
def _workers(root: Path, log: int) -> Iterator[Callable[[TaskSpec], str]]:
    """A function that trains a task in a process of its own, and gives the code of its failure.

    A process that ends or hangs is replaced; the task's code is "trainer_killed" then.
    """
    process: subprocess.Popen[bytes] | None = None
    pipe: Connection | None = None

    def start() -> None:
        nonlocal process, pipe
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), str(root), str(root.parent / "cache")]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.security.picture_worker", *arguments],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
        theirs.close()
        pipe = Connection(ours.detach())

    def end() -> None:
        if process is not None and pipe is not None:
            pipe.close()
            process.send_signal(signal.SIGKILL)
            process.wait()

    def run(spec: TaskSpec) -> str:
        assert pipe is not None
        try:
            pipe.send_bytes(msgspec.msgpack.encode(spec))
            if pipe.poll(LONGEST_TASK_S):
                return pipe.recv_bytes().decode()
        except (OSError, EOFError):
            pass
        end()
        start()
        return "trainer_killed"

    start()
    try:
        yield run
    finally:
        end()


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)
