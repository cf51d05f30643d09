"""A disk as it may be after a power cut, from a recording of what programs did to it.

What was synced is there. Of everything else any part may be there: blocks of a file one by one, a file's size without
its content, a name without the file that it was given to, a rename of two without the one before it. That is what POSIX
allows, and more than any one file system does. The method is that of ALICE (Pillai et al., "All File Systems Are Not
Created Equal", OSDI 2014) and CrashMonkey (Mohan et al., "Finding Crash-Consistency Bugs with Bounded Black-Box Crash
Testing", OSDI 2018).

A rename within a folder is one step, as all file systems in use have it. A new file has its name on the disk when its
folder was synced; syncing the file itself is not enough.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.power_loss.recording import Change, Kind

#: What a disk writes in one step, by its own sector or by the page of the system.
BLOCK_BYTES = (512, 4096)
#: Times of the files are those of their last change, a millisecond apart from this time on.
_FIRST_S = 1_700_000_000


@dataclass(eq=False)
class Entry:
    """A file, folder or link. content: what is on the disk of it; of a link, its target."""

    kind: Kind
    mode: int
    content: bytearray = field(default_factory=bytearray)
    #: (offset, data) of writes that were not synced; data is None where the file was cut or extended to that size.
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    #: The entries of a folder: those on the disk, and those that programs see.
    names: dict[str, Entry] = field(default_factory=dict)
    seen: dict[str, Entry] = field(default_factory=dict)
    changed: int = 0


#: One step: what each of these names of a folder stands for from now on. None: nothing.
NameChange = list[tuple[Entry, str, Entry | None]]


class Disk:
    """Follows a recording. Call `apply` for each change, and `write` at any moment to see what a power cut leaves."""

    def __init__(self, folder: Path) -> None:
        """folder: as it is before the first change."""
        #: Which syncs the disk confirms without doing anything.
        self.ignores: Callable[[Entry], bool] = lambda entry: False
        self._by_inode: dict[int, Entry] = {}
        self.root = self._read(folder)
        self.unsynced_names: list[NameChange] = []
        self._files: list[Entry] = []
        self._number = 0

    def _read(self, path: Path) -> Entry:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            entry = Entry(Kind.MKDIR, stat.S_IMODE(status.st_mode))
            entry.names = {below.name: self._read(below) for below in path.iterdir() if not _is_socket(below)}
            entry.seen = dict(entry.names)
        elif stat.S_ISLNK(status.st_mode):
            entry = Entry(Kind.SYMLINK, 0, bytearray(os.fsencode(path.readlink())))
        else:
            entry = Entry(Kind.CREATE, stat.S_IMODE(status.st_mode), bytearray(path.read_bytes()))
        self._by_inode[status.st_ino] = entry
        return entry

    def is_settled(self) -> bool:
        """Whether all is synced, so that a power cut can leave only one thing."""
        return not self.unsynced_names and not any(entry.unsynced for entry in self._files)

    def apply(self, change: Change) -> None:
        self._number += 1
        match change.kind:
            case Kind.WRITE | Kind.TRUNCATE:
                entry = self._by_inode.get(change.one)
                if entry is not None:
                    if not entry.unsynced:
                        self._files.append(entry)
                    data = change.data if change.kind is Kind.WRITE else None
                    entry.unsynced.append((change.offset, data))
                    entry.changed = self._number
            case Kind.SYNC:
                entry = self._by_inode.get(change.one)
                if entry is not None and not self.ignores(entry):
                    self._sync(entry)
            case Kind.SYNC_ALL:
                for entry in self._by_inode.values():
                    self._sync(entry)
            case Kind.CHMOD:
                if change.one in self._by_inode:
                    self._by_inode[change.one].mode = change.mode
            case Kind.MARK:
                pass
            case _:
                self._rename(self._name_change(change))

    def _name_change(self, change: Change) -> NameChange:
        folder = self._by_inode[change.one]
        match change.kind:
            case Kind.CREATE | Kind.MKDIR:
                new = self._by_inode[change.other] = Entry(change.kind, change.mode, changed=self._number)
                return [(folder, change.name, new)]
            case Kind.SYMLINK:
                return [(folder, change.name, Entry(Kind.SYMLINK, 0, bytearray(change.data)))]
            case Kind.LINK:
                return [(folder, change.name, self._by_inode[change.other])]
            case Kind.UNLINK:
                return [(folder, change.name, None)]
        into = self._by_inode[change.other]
        other = into.seen.get(change.new_name) if change.kind is Kind.EXCHANGE else None
        # A file that C's fopen has made is not recorded. PostgreSQL keeps only caches in such files.
        renamed = folder.seen.get(change.name) or Entry(Kind.CREATE, 0o600, changed=self._number)
        return [(into, change.new_name, renamed), (folder, change.name, other)]

    def _rename(self, change: NameChange) -> None:
        self.unsynced_names.append(change)
        _name_all([change], lambda folder: folder.seen)

    def _sync(self, entry: Entry) -> None:
        if entry.kind is Kind.MKDIR:
            done = [change for change in self.unsynced_names if any(step[0] is entry for step in change)]
            self.unsynced_names = [change for change in self.unsynced_names if change not in done]
            _name_all(done, lambda folder: folder.names)
        elif entry.unsynced:
            entry.content = _with(entry.content, entry.unsynced)
            entry.unsynced = []
            self._files = [file for file in self._files if file is not entry]

    def write(self, folder: Path, fate: Fate) -> None:
        """Write to the empty `folder` what a power cut at this moment leaves."""
        names: dict[int, dict[str, Entry]] = {}

        def names_of(entry: Entry) -> dict[str, Entry]:
            return names.setdefault(id(entry), dict(entry.names))

        _name_all(fate.names(self.unsynced_names), names_of)
        self._write(self.root, folder, names_of, fate)

    def _write(self, entry: Entry, path: Path, names_of: Callable[[Entry], dict[str, Entry]], fate: Fate) -> None:
        for name, below in names_of(entry).items():
            place = path / name
            if below.kind is Kind.MKDIR:
                place.mkdir(mode=0o700)
                self._write(below, place, names_of, fate)
                place.chmod(below.mode)
            elif below.kind is Kind.SYMLINK:
                place.symlink_to(os.fsdecode(bytes(below.content)))
            else:
                content = fate.content(below) if below.unsynced else below.content
                place.write_bytes(content)
                place.chmod(below.mode)
                changed_at_s = _FIRST_S + below.changed / 1000
                os.utime(place, (changed_at_s, changed_at_s))


@dataclass(frozen=True)
class Fate:
    """What becomes of that which was not synced. names: the changes of names that are on the disk."""

    name: str
    names: Callable[[Sequence[NameChange]], Iterable[NameChange]]
    content: Callable[[Entry], bytes | bytearray]


def _all_names(changes: Sequence[NameChange]) -> Iterable[NameChange]:
    return changes


def _no_names(_: Sequence[NameChange]) -> Iterable[NameChange]:
    return ()


def _whole(entry: Entry) -> bytearray:
    return _with(entry.content, entry.unsynced)


def _old(entry: Entry) -> bytearray:
    return entry.content


def _zeros(entry: Entry) -> bytearray:
    """The new size without the new content."""
    return _resized(entry.content, len(_whole(entry)))


FATES = (
    Fate("nothing of it is there", _no_names, _old),
    Fate("all of it is there", _all_names, _whole),
    Fate("names without content", _all_names, _old),
    Fate("names and sizes without content", _all_names, _zeros),
    Fate("content without names", _no_names, _whole),
)


def drawn_fate(chance: random.Random) -> Fate:
    """Any part of it is there: a beginning of the changes of names, or any of them, and any blocks of each file."""
    block_bytes, kept, grows = chance.choice(BLOCK_BYTES), chance.choice((0.2, 0.5, 0.8)), chance.random() < 0.5
    in_order = chance.random() < 0.5

    def names(changes: Sequence[NameChange]) -> Iterable[NameChange]:
        if in_order:
            return changes[: chance.randint(0, len(changes))]
        return [change for change in changes if chance.random() < kept]

    def content(entry: Entry) -> bytearray:
        parts: list[tuple[int, bytes | None]] = []
        for offset, data in entry.unsynced:
            if data is None:
                parts += [(offset, None)] if chance.random() < kept else []
                continue
            for begin, end in _blocks(offset, len(data), block_bytes):
                if chance.random() < kept:
                    parts.append((begin, data[begin - offset : end - offset]))
        torn = _with(entry.content, parts)
        return _resized(torn, max(len(torn), len(_whole(entry)))) if grows else torn

    return Fate(f"any part of it is there, in blocks of {block_bytes} bytes", names, content)


def _blocks(offset: int, size: int, block_bytes: int) -> Iterable[tuple[int, int]]:
    """The parts of a write that lie in different blocks of the disk, as (begin, end)."""
    begin, last = offset, offset + size
    while begin < last:
        end = min(last, (begin // block_bytes + 1) * block_bytes)
        yield begin, end
        begin = end


def _with(content: bytearray, writes: Iterable[tuple[int, bytes | None]]) -> bytearray:
    new = bytearray(content)
    for offset, data in writes:
        if data is None:
            new = _resized(new, offset)
            continue
        if len(new) < offset:
            new = _resized(new, offset)
        new[offset : offset + len(data)] = data
    return new


def _resized(content: bytearray, size: int) -> bytearray:
    return bytearray(content[:size]) + bytes(max(0, size - len(content)))


def _name_all(changes: Iterable[NameChange], names_of: Callable[[Entry], dict[str, Entry]]) -> None:
    for change in changes:
        for folder, name, entry in change:
            if entry is None:
                names_of(folder).pop(name, None)
            else:
                names_of(folder)[name] = entry


def _is_socket(path: Path) -> bool:
    return stat.S_ISSOCK(path.lstat().st_mode)
