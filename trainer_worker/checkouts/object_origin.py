"""A project in object storage as the code sees it that changes models in its copy on this machine."""

from __future__ import annotations

import functools
from collections.abc import Collection
from pathlib import Path

from protocol.project_layout import MODELS
from storage.model_places import file_of_model, new_publication
from storage.transfers import carry_out
from trainer_worker.checkouts.checkout import Checkout, Wanted
from trainer_worker.checkouts.failures import as_training_errors
from trainer_worker.checkouts.heads import bring_heads
from trainer_worker.checkouts.stored_models import StoredModels
from trainer_worker.project.origin import Groups, Tell


class ObjectOrigin:
    """An Origin. checkout: the copy."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._stored = StoredModels(checkout.store)

    def shown(self, path: str) -> str:
        return self._checkout.store.url.file(path)

    def model_folder(self, task_id: str, publication: str) -> str:
        return f"{MODELS}/{task_id}/{publication}" if publication else f"{MODELS}/{task_id}"

    def new_publication(self, attempt: int) -> str:
        return new_publication(attempt)

    def refresh_models(self, tell: Tell) -> None:
        with as_training_errors():
            self._checkout.bring_models(tell)

    def bring_model(self, task_id: str, tell: Tell) -> None:
        with as_training_errors():
            self._checkout.bring_model(task_id, tell)

    def bring_heads(self, groups: Groups, until_s: float) -> Groups:
        with as_training_errors():
            return bring_heads(self._checkout, groups, until_s)

    def bring_whole(self, paths: Collection[str]) -> list[str]:
        wanted = [Wanted(path, self._checkout.objects.files[path]) for path in paths]
        missing = [each for each in wanted if not self._checkout.record.has(*each)]
        with as_training_errors():
            self._checkout.read(missing, lambda done_bytes: None)
        return [each.path for each in missing]

    def send_files(self, task_id: str, publication: str, folder: Path, tell: Tell) -> None:
        store, model = self._checkout.store, f"{MODELS}/{task_id}"

        async def send(file: Path) -> None:
            await store.put_async(file_of_model(model, publication, file.relative_to(folder).as_posix()), file)

        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        with as_training_errors():
            carry_out([functools.partial(send, file) for file in files], self._checkout.connections, tell)

    def commit(self, task_id: str, manifest: bytes) -> bool:
        with as_training_errors():
            is_published = self._stored.put_manifest(task_id, manifest)
            self._stored.remove_other_publications(task_id)
            return is_published

    def settled(self, task_id: str) -> None:
        with as_training_errors():
            self._checkout.note_model(task_id)

    def point(self, link: str, task_id: str, even_back: bool) -> bool:
        with as_training_errors():
            return self._stored.point(link, task_id, even_back)

    def remove_model(self, task_id: str) -> None:
        with as_training_errors():
            # Somebody may have chosen it on another machine a moment ago.
            if not self._stored.is_named(task_id):
                self._stored.remove(task_id)
                self._stored.remove_kept(task_id)

    def tidy(self, stale_after_s: float) -> None:
        with as_training_errors():
            self._stored.tidy(stale_after_s)
