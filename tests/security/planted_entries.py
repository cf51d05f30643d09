"""What a stranger may put in the place of a file that the front-end sends. None of it may be sent."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

SECRET = b"somebody else's secret"
#: More than the front-end sends of any file. The file takes no space on the disk.
HUGE_BYTES = 5 * 1024**3


def secret_in(folder: Path) -> Path:
    """A file of somebody else."""
    (folder / "secret").write_bytes(SECRET)
    return folder / "secret"


def put_link(file: Path, secret: Path) -> None:
    file.symlink_to(secret)


def put_link_to_a_folder(file: Path, secret: Path) -> None:
    folder = file.parent
    folder.rename(folder.with_name("away"))
    (secret.parent / file.name).write_bytes(SECRET)
    folder.symlink_to(secret.parent)


def put_link_above(file: Path, secret: Path) -> None:
    above = file.parent.parent
    theirs = secret.parent / file.parent.name
    theirs.mkdir()
    (theirs / file.name).write_bytes(SECRET)
    above.rename(above.with_name("away"))
    above.symlink_to(secret.parent)


def put_fifo(file: Path, secret: Path) -> None:
    os.mkfifo(file)


def put_socket(file: Path, secret: Path) -> None:
    here = Path.cwd()
    os.chdir(file.parent)  # the name of a socket has to be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(file.name)
    finally:
        os.chdir(here)


def put_device(file: Path, secret: Path) -> None:
    file.symlink_to("/dev/zero")


def put_folder(file: Path, secret: Path) -> None:
    file.mkdir()


def put_huge_file(file: Path, secret: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(HUGE_BYTES)


def put_nothing(file: Path, secret: Path) -> None:
    """The folder is there, and the file has gone."""


_PUTS = (
    *(put_link, put_link_to_a_folder, put_link_above, put_fifo, put_socket),
    *(put_device, put_folder, put_huge_file, put_nothing),
)


def _in_place(put: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    def replace(file: Path, secret: Path) -> None:
        file.unlink()
        put(file, secret)

    replace.__name__ = put.__name__
    return replace


#: Each takes the file to replace, and a secret to lead to.
ENTRIES = tuple(map(_in_place, _PUTS))
