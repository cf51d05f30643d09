"""What somebody with rights in a project folder may do to one of our files there, drawn at random."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import random
import shutil
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: In the place of any value of a JSON text.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**31, 2**63, 2**64, 10**400, 1e308, -0.5, "", "x" * 10_000, "../../bert/secret.txt"),
    *("/etc/passwd", "\0", "\n", [], {}, [[]], [None], {"": None}, [0] * 5000, ["a"] * 100, {"a": {"b": []}}),
)
HUGE_BYTES = 8 * 1024**4


def mutate(path: Path, victims: Path, chance: random.Random) -> None:
    """Change one file of ours in one way. victims: a folder to make links to."""
    chance.choice(_WAYS)(path, victims, chance)


def _flip_bytes(path: Path, victims: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 8, 100))):
        if content:
            content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)


def _cut(path: Path, victims: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content) + 1)])


def _lengthen(path: Path, victims: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        if chance.random() < 0.5:
            file.write(chance.randbytes(1000))
        else:
            file.truncate(HUGE_BYTES)  # sparse: takes no room on the disk


def _change_json(path: Path, victims: Path, chance: random.Random) -> None:
    """In a manifest, in a file that the manifest lists, or in a checkpoint; all hashes are right again afterwards."""
    content = path.read_bytes()
    if path.suffix == ".checkpoint":
        length = int.from_bytes(content[:8])
        text, arrays = content[8 : 8 + length], content[8 + length : -4]
        changed = _changed(text, chance)
        whole = len(changed).to_bytes(8) + changed + arrays
        path.write_bytes(whole + zlib.crc32(whole).to_bytes(4))
    elif path.suffix == ".json":
        path.write_bytes(_changed(content, chance))
        _list_anew(path)
    else:
        _flip_values(path, victims, chance)


def _list_anew(path: Path) -> None:
    """Have the manifest beside a file list it as it is now, unless another mutation has damaged the manifest."""
    manifest_file, content = path.with_name("manifest.json"), path.read_bytes()
    if manifest_file.is_symlink() or not manifest_file.is_file() or manifest_file.stat().st_size >= HUGE_BYTES:
        return
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        manifest = json.loads(manifest_file.read_bytes())
        for file in manifest["files"]:
            if file["path"] == path.name:
                file |= {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest_file.write_text(json.dumps(manifest))


def _changed(text: bytes, chance: random.Random) -> bytes:
    try:
        value = copy.deepcopy(json.loads(text))
    except (ValueError, RecursionError):  # another mutation has damaged it before, or nested it too deeply
        return text[: chance.randrange(len(text) + 1)]
    places = list(_places(value))
    holder, key = chance.choice(places)
    way = chance.random()
    if way < 0.6:
        holder[key] = chance.choice(ODD_VALUES)
    elif way < 0.8 and isinstance(holder, dict):
        holder[chance.choice(("", "x", "../x", "files", "y" * 5000))] = holder.pop(key)
    elif way < 0.9:
        marker = "nested without end"
        holder[key] = marker
        depth = chance.choice((20, 900, 5000, 100_000))
        return json.dumps(value).replace(f'"{marker}"', "[" * depth + "]" * depth).encode()
    else:
        del holder[key]
    return json.dumps(value).encode()


def _places(value: Any) -> Any:
    """(holder, key) of every value inside."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _flip_values(path: Path, victims: Path, chance: random.Random) -> None:
    """In cached features, or the arrays of a checkpoint: numbers that are none, with a checksum that is right."""
    content = bytearray(path.read_bytes()[:-4])
    at = max(0, len(content) - 4 * chance.randrange(1, 6))
    content[at : at + 4] = chance.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\0\0\0\0"))
    path.write_bytes(content + zlib.crc32(content).to_bytes(4))


def _replace(make: Callable[[Path, Path], object]) -> Callable[[Path, Path, random.Random], None]:
    """Put something else in the place of the file, or of the folder that it lies in."""

    def way(path: Path, victims: Path, chance: random.Random) -> None:
        place = path if chance.random() < 0.7 else path.parent
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
        make(place, victims)

    return way


def _bind_socket(place: Path, victims: Path) -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        folder = os.open(place.parent, os.O_RDONLY)
        ours.bind(f"/proc/self/fd/{folder}/{place.name}"[:107])  # paths of sockets have a limit
        os.close(folder)


_WAYS: tuple[Callable[[Path, Path, random.Random], None], ...] = (
    *(_flip_bytes, _cut, _lengthen),
    *(_change_json,) * 6,
    *(_flip_values,) * 2,
    _replace(lambda place, victims: os.mkfifo(place)),
    _replace(lambda place, victims: place.symlink_to(victims / "secret.txt")),
    _replace(lambda place, victims: place.symlink_to(victims)),
    _replace(lambda place, victims: place.symlink_to(place.name)),
    _replace(lambda place, victims: (place / "manifest.json").mkdir(parents=True)),
    _replace(lambda place, victims: place.write_bytes(b"")),
    _replace(_bind_socket),
)
