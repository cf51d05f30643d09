"""Flips bits in the files of a kind, one at a time, and sees what becomes of it."""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
import traceback
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_MEMORY = Path("/dev/shm")
MOST_SHOWN = 5


class FoundError(Exception):
    """The service has said in a sentence that something is damaged."""


class Kind(NamedTuple):
    """One kind of file.

    found_by: what finds a flipped bit, for the table. make: writes the files into an empty folder, and returns those in
    which bits are flipped. read: what the service gets out of them, as items. Raises FoundError if it refuses.
    """

    name: str
    found_by: str
    make: Callable[[Path], Sequence[Path]]
    read: Callable[[Path], Iterable[Hashable]]


@dataclass
class Account:
    """What flips have come to.

    found: nothing wrong was used, and a sentence or the log says so. harmless: everything was read as it was written.
    silent: something else was read, or something was missing, and nothing said so. broke: an error that nothing
    expects, which would end the process.
    """

    flips: int = 0
    found: int = 0
    harmless: int = 0
    silent: int = 0
    broke: int = 0
    shown: list[str] = field(default_factory=list)


class _Sayings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def flip_bits(kind: Kind, flips: int, seed: int = 1) -> Account:
    """Flip each of `flips` bits, spread over the files of the kind by their size, and read all of them."""
    account, chance = Account(), random.Random(seed)
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        whole, folder = Path(name) / "whole", Path(name) / "flipped"
        whole.mkdir()
        files = [file.relative_to(whole) for file in kind.make(whole)]
        shutil.copytree(whole, folder, symlinks=True)
        expected = frozenset(kind.read(folder))
        sizes = [(whole / file).stat().st_size for file in files]
        for _ in range(flips):
            shutil.rmtree(folder)
            shutil.copytree(whole, folder, symlinks=True)
            (file,) = chance.choices(files, sizes)
            bit = chance.randrange(8 * (whole / file).stat().st_size)
            _flip(folder / file, bit)
            _judge(kind, folder, expected, account, f"{file}, bit {bit % 8} of byte {bit // 8}")
    return account


def _flip(file: Path, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def _judge(kind: Kind, folder: Path, expected: frozenset[Hashable], account: Account, where: str) -> None:
    account.flips += 1
    sayings, logger = _Sayings(), logging.getLogger()
    logger.addHandler(sayings)
    try:
        items = frozenset(kind.read(folder))
    except FoundError:
        account.found += 1
        return
    except Exception:  # Whatever it is: a service would end by it.
        account.broke += 1
        _show(account, f"{kind.name}: {where}: {traceback.format_exc(limit=-3)}")
        return
    finally:
        logger.removeHandler(sayings)
    if items == expected:
        account.harmless += 1
    elif items <= expected and sayings.count:
        account.found += 1
    else:
        account.silent += 1
        _show(account, f"{kind.name}: {where}: {len(expected - items)} items less, {len(items - expected)} others")


def _show(account: Account, words: str) -> None:
    if len(account.shown) < MOST_SHOWN:
        account.shown.append(words)
