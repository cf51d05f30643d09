"""The copy of one project on the worker's disk, and how it becomes what object storage has.

Objects are told apart by their ETags. Only what has changed is read, side by side, into files of its own; a file gets
its place when it is complete. A worker that is stopped in between goes on where it was. What has gone from the storage
goes from the copy as well, and the cached features stay.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from conf.directory import Directory
from protocol.bounds import is_task_id
from protocol.errors import TrainingError
from protocol.litter import LABEL_SUFFIXES, suffix_of
from protocol.project_layout import KEPT, LAST, MANIFEST, MODELS, TASKS
from storage.errors import ConflictError, MissingObjectError, UnreachableError
from storage.model_places import MOST_MANIFEST_BYTES
from storage.object_store import ObjectInfo, ObjectStore
from storage.transfers import carry_out, fetch
from trainer_worker.checkouts.names import ProjectObjects, listed_files, sorted_out
from trainer_worker.checkouts.record import Record
from trainer_worker.checkouts.stored_models import StoredModels
from trainer_worker.layouts.tree import MAX_ENTRIES
from trainer_worker.project.manifest import ForeignManifestError, Manifest, read_manifest
from trainer_worker.project.model_files import HELD_OUT
from trainer_worker.project.origin import Tell
from trainer_worker.project.unchanged import is_read

#: If objects change while they are read, or a listing breaks off, the project is listed again, up to this many times.
_MOST_LISTINGS = 3


#: Gets the size in bytes that the copy will have, and how many bytes of it are still to come. Raises TrainingError
#: disk_full.
MakeRoom = Callable[[int, int], None]


class Watcher(Protocol):
    """Hears how far a check-out is. Both calls may raise an exception, which ends it."""

    def planned(self, files: int, size_bytes: int) -> None:
        """Called when it is known how much has to be read, and again if the project has to be listed again."""

    def step(self, done_bytes: int) -> None:
        """Called often, even before anything is planned. done_bytes: what has been read so far."""


class Wanted(NamedTuple):
    """A file that the copy is to have. whole: False if empty space of the object's size is enough."""

    path: str
    info: ObjectInfo
    whole: bool = True


class Checkout:
    """place: where the copy lies, see shelf.py; nobody else may use it meanwhile. Methods raise StorageError, OSError.

    connections: how many objects are read side by side.
    """

    def __init__(self, place: Path, store: ObjectStore, connections: int) -> None:
        self.store = store
        self.connections = connections
        self.place = place
        self.folder = place / "folder"
        self._parts = place / "parts"
        for folder in (self.folder, self._parts):
            folder.mkdir(exist_ok=True, mode=0o700)
        self.record = Record(place / "objects.jsonl", self.folder)
        #: The objects of the project, as the last listing has shown them.
        self.objects = ProjectObjects()

    # ---- the whole project ----

    def bring(self, task_id: str, watcher: Watcher, make_room: MakeRoom) -> None:
        """Make the copy what the storage has. task_id: of the task that is to be trained in it."""
        for listing in range(_MOST_LISTINGS):
            try:
                return self._bring(task_id, watcher, make_room)
            except (ConflictError, MissingObjectError):
                if listing == _MOST_LISTINGS - 1:
                    raise
        return None

    def _bring(self, task_id: str, watcher: Watcher, make_room: MakeRoom) -> None:
        tell = functools.partial(watcher.step, 0)
        self.list_objects("", tell)
        self._refuse_nothing()
        models = self._bring_manifests(tell)
        wanted = [
            *(Wanted(path, info, is_read(path)) for path, info in self.objects.files.items()),
            *(Wanted(path, info) for path, info in self.objects.kept.items() if _is_for(path, task_id)),
            *models,
        ]
        self._remove_all_but(wanted)
        missing = [each for each in wanted if not self.record.has(*each)]
        size_bytes = sum(each.info.size_bytes for each in missing if each.whole)
        make_room(sum(each.info.size_bytes for each in wanted if each.whole), size_bytes)
        watcher.planned(sum(each.whole for each in missing), size_bytes)
        self._fill(missing, watcher.step)
        self.record.keep_only({each.path for each in wanted})

    def bring_names(self, tell: Tell) -> None:
        """Bring what tells the layout, and for pictures empty space of their size."""
        self.list_objects("", tell)
        self._refuse_nothing()
        wanted = [
            *(Wanted(path, info, suffix_of(path) in LABEL_SUFFIXES) for path, info in self.objects.files.items()),
            *(Wanted(path, info) for path, info in self.objects.kept.items() if _is_for(path, "")),
        ]
        self._fill(wanted, lambda done_bytes: tell())

    def _fill(self, wanted: Sequence[Wanted], moved: Callable[[int], None]) -> None:
        self.read([each for each in wanted if not self.record.has(*each)], moved)
        for folder in self.objects.folders:
            (self.folder / folder).mkdir(parents=True, exist_ok=True)

    def _refuse_nothing(self) -> None:
        if not (self.objects.files or self.objects.models):
            sentence = f"There is no object below {self.store.url}; upload the photos, and then post the task again."
            raise TrainingError("project_dir_missing", sentence)

    def list_objects(self, prefix: str, tell: Tell) -> None:
        """List what is below `prefix`: "" for the whole project, or MODELS."""
        found: list[ObjectInfo] = []

        async def listing() -> None:
            found.clear()
            async for infos in self.store.list_async(prefix):
                found.extend(infos)
                if len(found) > MAX_ENTRIES:
                    raise TrainingError(
                        "layout_unsupported",
                        f"The project holds more than {MAX_ENTRIES:,} objects. Post a folder with fewer.",
                    )

        for listed in range(_MOST_LISTINGS):
            try:
                carry_out([listing], 1, tell)
                break
            except UnreachableError:  # the client does not ask again for a page that broke off
                if listed == _MOST_LISTINGS - 1:
                    raise
        self.objects = sorted_out(found, _tells_case(self.place))

    def read(self, wanted: Iterable[Wanted], moved: Callable[[int], None]) -> None:
        """Read objects into the copy. moved: gets the number of bytes that have come so far."""
        done_bytes = 0

        def add(count: int) -> None:
            nonlocal done_bytes
            done_bytes += count

        async def bring(each: Wanted) -> None:
            # The bytes of an object with another ETag must not be used, so the part is named after both.
            part = self._parts / hashlib.sha256(f"{each.info.name}\0{each.info.etag}".encode()).hexdigest()
            if each.whole:
                await fetch(self.store, each.info, part, add)
            else:
                _make_empty(part, each.info.size_bytes)
            self._place(part, each)

        transfers = (functools.partial(bring, each) for each in wanted)
        try:
            carry_out(transfers, self.connections, lambda: moved(done_bytes))
        finally:
            self.record.close()

    def _place(self, part: Path, wanted: Wanted) -> None:
        target = self.folder / wanted.path
        changed_at_ns = int(wanted.info.modified_at_s * 1e9)
        os.utime(part, ns=(changed_at_ns, changed_at_ns))
        try:
            part.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
        self.record.add(wanted.path, wanted.info, wanted.whole)

    # ---- models ----

    def bring_models(self, tell: Tell) -> None:
        """Bring what has happened to the models since the project was listed."""
        self.list_objects(MODELS, tell)
        wanted = self._bring_manifests(tell)
        self.read([each for each in wanted if not self.record.has(*each)], lambda done_bytes: tell())

    def bring_model(self, task_id: str, tell: Tell) -> None:
        """Bring all files of one model, if it is there."""
        manifest = self.manifest(task_id)
        if manifest is not None:
            wanted = self._files_of(manifest, whole=True)
            self.read([each for each in wanted if not self.record.has(*each)], lambda done_bytes: tell())

    def manifest(self, task_id: str) -> Manifest | None:
        """The manifest in the copy; None if there is none that we would have written."""
        with contextlib.suppress(OSError, ForeignManifestError), Directory.at(self.folder / MODELS / task_id) as folder:
            return read_manifest(folder, task_id)
        return None

    def _bring_manifests(self, tell: Tell) -> list[Wanted]:
        """Bring the manifests of all models, and the links. Returns all files of models that the copy is to have."""
        manifests = [
            Wanted(f"{MODELS}/{task_id}/{MANIFEST}", files[MANIFEST])
            for task_id, files in self.objects.models.items()
            if MANIFEST in files and files[MANIFEST].size_bytes <= MOST_MANIFEST_BYTES
        ]
        gone = self.folder / MODELS
        for task_id in self._models_in_copy() - self.objects.models.keys():
            shutil.rmtree(gone / task_id, ignore_errors=True)
        self.read([each for each in manifests if not self.record.has(*each)], lambda done_bytes: tell())
        self._bring_links()
        found = [self.manifest(task_id) for task_id in self.objects.models]
        return [*manifests, *(each for manifest in found if manifest for each in self._files_of(manifest))]

    def _files_of(self, manifest: Manifest, whole: bool = False) -> list[Wanted]:
        """The files of a model as the storage has them. Of most, the size is enough until the model is needed."""
        stored = listed_files(self.objects.models.get(manifest.task_id, {}), manifest.folder)
        return [
            Wanted(f"{MODELS}/{manifest.task_id}/{file.path}", stored[file.path], whole or file.path == HELD_OUT)
            for file in manifest.files
            if file.path in stored and stored[file.path].size_bytes == file.size_bytes
        ]

    def _models_in_copy(self) -> set[str]:
        with contextlib.suppress(FileNotFoundError):
            return {entry.name for entry in (self.folder / MODELS).iterdir() if is_task_id(entry.name)}
        return set()

    def _bring_links(self) -> None:
        models = self.folder / MODELS
        with contextlib.suppress(FileNotFoundError):
            for entry in models.iterdir():
                if entry.is_symlink() and entry.name not in self.objects.links:
                    entry.unlink()
        for link, info in self.objects.links.items():
            if named := StoredModels(self.store).named_by(link):
                models.mkdir(exist_ok=True)
                with Directory.at(models) as folder:
                    folder.point_link(link, named.task_id)
                changed_at_ns = int(info.modified_at_s * 1e9)
                os.utime(models / link, ns=(changed_at_ns, changed_at_ns), follow_symlinks=False)

    def note_model(self, task_id: str) -> None:
        """Note that all files of a model that was published from here are in the copy."""
        self.objects.models.update(sorted_out(self.store.list(f"{MODELS}/{task_id}")).models)
        manifest = self.manifest(task_id)
        if manifest is not None:
            stored = self.objects.models.get(task_id, {}).get(MANIFEST)
            here = [*self._files_of(manifest, whole=True)]
            here += [Wanted(f"{MODELS}/{task_id}/{MANIFEST}", stored)] if stored else []
            for each in here:
                changed_at_ns = int(each.info.modified_at_s * 1e9)
                os.utime(self.folder / each.path, ns=(changed_at_ns, changed_at_ns))
                self.record.add(*each)

    # ---- what has gone ----

    def _remove_all_but(self, wanted: Iterable[Wanted]) -> None:
        """Remove files that the storage has not, empty folders, and parts that no object is read into any more."""
        paths = {each.path for each in wanted}
        for above, folders, files in os.walk(self.folder, topdown=False):
            for name in files:
                file = os.path.join(above, name)  # noqa: PTH118
                path = os.path.relpath(file, self.folder)
                if path not in paths and not _is_only_here(path) and not os.path.islink(file):  # noqa: PTH114
                    os.unlink(file)  # noqa: PTH108
            for name in folders:
                if not os.path.islink(os.path.join(above, name)):  # noqa: PTH114, PTH118
                    with contextlib.suppress(OSError):
                        os.rmdir(os.path.join(above, name))  # noqa: PTH106, PTH118
        hashes = {hashlib.sha256(f"{each.info.name}\0{each.info.etag}".encode()).hexdigest() for each in wanted}
        for part in self._parts.iterdir():
            if part.name not in hashes:
                part.unlink()


def _is_for(path: str, task_id: str) -> bool:
    """Whether a task needs what .tfmodel/ keeps under a path."""
    return path.startswith((f"{KEPT}/{LAST}/", f"{KEPT}/{TASKS}/{task_id}/"))


def _is_only_here(path: str) -> bool:
    """Whether a file is the copy's own: a cached feature."""
    steps = path.split("/")
    return steps[0] == KEPT and steps[1] not in (LAST, TASKS)


def _make_empty(file: Path, size_bytes: int) -> None:
    """A file of that size which takes no space."""
    with open(file, "wb") as made:
        made.truncate(size_bytes)


def _tells_case(folder: Path) -> bool:
    """Whether the disk tells names apart that differ only in their case."""
    probe = folder / "Case"
    probe.touch()
    try:
        return not (folder / "cASE").exists()
    finally:
        probe.unlink()
