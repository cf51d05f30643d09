"""Project folders in object storage, below the data roots that are URLs.

Files are read from copies on this machine, so all that is done with an open file is the same as for a folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from conf.posted_folder import PostedFolderError
from protocol.corrections import CorrectionsTable
from protocol.prediction import (
    MOST_PICTURE_BYTES,
    MOST_SHOWN_BYTES,
    FolderPicture,
    ModelFile,
    Picture,
    PictureRefused,
    SentPicture,
)
from protocol.project_layout import MODELS, worker_folder
from protocol.project_url import ProjectUrl, innermost_root, worker_folder_of
from protocol.sizes import MB
from protocol.task import TaskSpec
from storage.errors import BadNameError, MissingObjectError, StorageError
from storage.model_places import find_file_of_model
from storage.object_store import ObjectInfo, ObjectStore
from web.answers.refusal import Refusal
from web.api.folders import FolderListing, ListedFolder
from web.browsing.object_listing import count_objects, list_objects
from web.files.open_file import Content, OpenFile, Place
from web.folders.corrections_in_storage import change_table, read_table
from web.folders.folders import AtHand, Changes, Folders, Lent, NamedPicture, SeenPicture
from web.folders.found_folder import BadField, FoundFolder
from web.folders.local_folders import lies_in_no_root, lies_in_worker_folder, missing_folder
from web.folders.object_copies import ObjectCopies
from web.folders.object_stores import ObjectStores, StoredPlace
from web.folders.storage_answers import told
from web.folders.threads import Threads
from web.prediction.refused_pictures import NOT_IN_PROJECT, TOO_LARGE

#: The most models of which it is remembered that their copies have the right hash.
MOST_KNOWN_MODELS = 1000


class ObjectFolders(Folders):
    answers_at_once = False

    def __init__(
        self, stores: ObjectStores, copies: ObjectCopies, threads: Threads, browsing: Threads, named: Sequence[str]
    ) -> None:
        """named: all data roots, for messages."""
        self._stores, self._copies = stores, copies
        self.threads, self.browsing = threads, browsing
        self._named = ", ".join(named)
        #: The object in which the bytes with a hash were found, by that hash.
        self._models: OrderedDict[str, _Found] = OrderedDict()

    # ---- looking around ----

    def find(self, text: str) -> FoundFolder | BadField:
        try:
            url = ProjectUrl.parse(text)
        except ValueError as error:
            return BadField("projectDir", f"projectDir={error}")
        root = innermost_root(url, self._stores.roots)
        if root is None:
            return lies_in_no_root(str(url), self._named)
        if own := worker_folder_of(url, root):
            return lies_in_worker_folder(str(url), own)
        with told():
            try:
                place = self._stores.place(str(url))
                is_there = next(place.store.list(place.name), None) is not None
            except MissingObjectError:
                is_there = False
            except BadNameError as error:
                return BadField("projectDir", str(error))
        return FoundFolder(str(url), str(url)) if is_there else missing_folder(str(url))

    def count_pictures(self, path: str) -> int:
        try:
            return count_objects(self._stores.place(path))
        except (PostedFolderError, StorageError):
            return 0

    async def top(self) -> Sequence[ListedFolder]:
        """What lies in them is not counted, so that the storage need not answer for the other data roots to show."""
        return [
            ListedFolder(name=root.name, path=str(root), pictures=0, folders=0, more=True)
            for root in self._stores.roots
        ]

    def list(self, path: str, cursor: str, limit: int) -> FolderListing:
        with told():
            place = self._stores.place(path, or_root=True)
            return list_objects(place, path, cursor, limit)

    def look(self, picture: NamedPicture) -> SeenPicture:
        info = self._found_picture(picture).info
        return SeenPicture(picture, (info.name, info.etag), info.size_bytes)

    def _place_of(self, picture: NamedPicture) -> StoredPlace:
        """Raises FileNotFoundError for what is no plain name, or lies where TFModel keeps its own files."""
        if picture.spec is None:
            return self._stores.place(picture.name)
        steps = picture.name.split("/")
        if not {"", ".", ".."}.isdisjoint(steps) or worker_folder(("", *steps)):
            raise FileNotFoundError(errno.ENOENT, "no plain path of a picture")
        place = self._stores.place(picture.spec.project_path)
        return StoredPlace(place.store, place.file(picture.name))

    # ---- files ----

    def read_corrections(self, path: str) -> CorrectionsTable:
        with told():
            return read_table(self._stores.place(path))

    def change_corrections(self, path: str, changes: Changes) -> CorrectionsTable:
        with told():
            return change_table(self._stores.place(path), changes)

    def size_of(self, spec: TaskSpec, place: Place) -> int:
        return self._file(spec, place).info.size_bytes

    def address_of(self, spec: TaskSpec, place: Place, size_bytes: int) -> str:
        ttl_s = self._stores.signed_for_s
        if not ttl_s:
            return ""
        with told():
            found = self._file(spec, place)
            # A file that differs from that in the journal gets no URL. We would refuse it when we send it ourselves.
            return found.store.sign(found.info.name, ttl_s) if found.info.size_bytes == size_bytes else ""

    @contextlib.asynccontextmanager
    async def lent(self, spec: TaskSpec, place: Place) -> AsyncIterator[Lent]:
        found = await self.threads.run(self._file, spec, place)
        if found.info.size_bytes > place.most_bytes:
            raise OSError(errno.EINVAL, f"an object of more than {place.most_bytes} bytes", place.name)
        async with self._copies.lent(found.store, found.info) as path:
            yield _Copied(path)

    def _file(self, spec: TaskSpec, place: Place) -> _Found:
        """The object of a file. Which one is a file of a model stands in the model's manifest."""
        with told():
            project = self._stores.place(spec.project_path)
            name = project.file(place.path)
            if place.folders[:1] == (MODELS,):
                model = project.file("/".join(place.folders[:2]))
                name = find_file_of_model(project.store, model, name.removeprefix(f"{model}/"))
            return _found(StoredPlace(project.store, name))

    # ---- for runtime processes ----

    @contextlib.asynccontextmanager
    async def shown(self, seen: SeenPicture) -> AsyncIterator[FolderPicture]:
        if seen.size_bytes > MOST_SHOWN_BYTES:
            raise Refusal("picture_too_large", f"The picture has more than {MOST_SHOWN_BYTES // MB} MB.")
        async with contextlib.AsyncExitStack() as lending:
            yield await self._copied(seen.named, MOST_SHOWN_BYTES, lending)

    @contextlib.asynccontextmanager
    async def at_hand(self, model: ModelFile, pictures: Sequence[Picture]) -> AsyncIterator[AtHand]:
        async with contextlib.AsyncExitStack() as lending:
            path = await self._model(model, lending)
            fetching = (self._to_judge(model, picture, lending) for picture in pictures)
            found = await asyncio.gather(*fetching, return_exceptions=True)
            if errors := [each for each in found if isinstance(each, BaseException)]:
                raise errors[0]
            ready = [each for each in found if not isinstance(each, BaseException)]
            yield AtHand(replace(model, copy=str(path)), ready)

    async def _model(self, model: ModelFile, lending: contextlib.AsyncExitStack) -> Path:
        """The copy of a model, whose bytes have the hash that the journal has. Raises Refusal.

        While there is such a copy, the storage is not asked.
        """
        artifact, task_id = model.artifact, model.spec.task_id
        known = self._models.get(artifact.sha256)
        if known is not None and self._copies.has(known.store, known.info):
            return await lending.enter_async_context(self._copies.lent(known.store, known.info))
        try:
            place = Place((MODELS, task_id), artifact.name, artifact.size_bytes)
            found = await self.threads.run(self._file, model.spec, place)
            if found.info.size_bytes != artifact.size_bytes:
                raise _changed(model)
            path = await lending.enter_async_context(self._copies.lent(found.store, found.info))
        except (PostedFolderError, OSError) as error:
            raise Refusal(
                "no_model",
                f"{artifact.name} in models/{task_id} can't be read; it may have been deleted or replaced. Train again "
                "to get a new one.",
            ) from error
        if await self.threads.run(_sha256, path) != artifact.sha256:
            raise _changed(model)
        self._models[artifact.sha256] = found
        while len(self._models) > MOST_KNOWN_MODELS:
            self._models.popitem(last=False)
        return path

    async def _to_judge(
        self, model: ModelFile, picture: Picture, lending: contextlib.AsyncExitStack
    ) -> Picture | PictureRefused:
        if isinstance(picture, SentPicture):
            return picture
        try:
            return await self._copied(NamedPicture(picture.name, model.spec), MOST_PICTURE_BYTES, lending)
        except (PostedFolderError, OSError):
            return NOT_IN_PROJECT
        except Refusal as refusal:
            if refusal.problem.code == "picture_too_large":
                return TOO_LARGE
            raise

    async def _copied(
        self, picture: NamedPicture, most_bytes: int, lending: contextlib.AsyncExitStack
    ) -> FolderPicture:
        found = await self.threads.run(self._found_picture, picture)
        if found.info.size_bytes > most_bytes:
            raise Refusal("picture_too_large", f"The picture has more than {most_bytes // MB} MB.")
        path = await lending.enter_async_context(self._copies.lent(found.store, found.info))
        return FolderPicture(picture.name, copy=str(path))

    def _found_picture(self, picture: NamedPicture) -> _Found:
        with told():
            return _found(self._place_of(picture))


class _Found(NamedTuple):
    """An object that is there."""

    store: ObjectStore
    info: ObjectInfo


class _Copied(NamedTuple):
    path: Path

    def open(self) -> OpenFile:
        file = open(self.path, "rb")  # noqa: SIM115 - the caller closes it
        return OpenFile(file, Content.of(file), is_copy=True)


def _found(place: StoredPlace) -> _Found:
    info = place.store.status(place.name)
    if info is None:
        raise FileNotFoundError(errno.ENOENT, "no such object")
    return _Found(place.store, info)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _changed(model: ModelFile) -> Refusal:
    return Refusal(
        "model_changed",
        f"{model.artifact.name} in models/{model.spec.task_id} is not the file that was published: its content has "
        "changed, so it is not used; put the published file back, or train again.",
    )
