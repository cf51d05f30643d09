"""The models that a runtime process has loaded. Those that answered last stay, as far as the memory for them goes."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil

from conf.posted_folder import PostedFolderError
from protocol.prediction import ModelFile, RuntimeLimits
from trainer_worker.exporting.model_use import ModelUse, UnusableModelError, use_of
from trainer_worker.exporting.runtimes.tflite_models import load_content
from trainer_worker.project.posted_files import ChangedFileError, PlacesToRead, read_model

#: A loaded model takes at least this many times the bytes of its file: the file itself, and its weights packed for the
#: processor. What the process has grown by is more exact, unless the system gave it memory that an earlier model freed.
LEAST_MEMORY_OF_FILE = 2.0


def places_of(limits: RuntimeLimits) -> PlacesToRead:
    """Where models and pictures may lie."""
    roots = tuple(map(Path, limits.allowed_roots))
    return PlacesToRead(roots, Path(limits.copies) if limits.copies else None)


class RefusedModelError(Exception):
    """A model that can't answer. code: one of REFUSAL_CODES; the message is for the caller."""

    def __init__(self, code: str, error: str) -> None:
        super().__init__(error)
        self.code = code


class LoadedModel(msgspec.Struct, frozen=True):
    """run: from float32 pictures (n, S, S, 3) to outputs (n, ...). size_bytes: the memory that it takes."""

    use: ModelUse
    run: Callable[[Any], Any]
    size_bytes: int


class Models:
    """Loaded models by the hash of their file. The same file of two tasks is loaded once."""

    def __init__(self, limits: RuntimeLimits) -> None:
        self._limits = limits
        self._places = places_of(limits)
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of the loaded models. The one that answered last is at the end."""
        return tuple(self._loaded)

    def get(self, file: ModelFile) -> LoadedModel:
        """The model, from memory or from its folder. Raises RefusedModelError."""
        wanted = file.artifact.sha256
        if wanted not in self._loaded:
            self._load(file)
        self._loaded.move_to_end(wanted)
        return self._loaded[wanted]

    def _load(self, file: ModelFile) -> None:
        most, name = self._limits.models_bytes, file.artifact.name
        at_least = int(LEAST_MEMORY_OF_FILE * file.artifact.size_bytes)
        if at_least > most:
            raise RefusedModelError(
                "model_unusable",
                f"{name} has {file.artifact.size_bytes // 1024**2} MB and takes twice that when it is loaded, but one "
                f"process keeps at most {most // 1024**2} MB of models; raise [web] predict_memory_mb.",
            )
        self._make_room(at_least)
        before = psutil.Process().memory_info().rss
        content = self._read(file)
        try:
            use, run = use_of(content), load_content(content, self._limits.threads)
        except UnusableModelError as error:
            raise RefusedModelError("model_unusable", f"{name} can't be used: {error}; train it again.") from error
        except (ValueError, RuntimeError) as error:
            raise RefusedModelError("model_unusable", f"{name} can't be loaded: {str(error)[:300]}") from error
        grown = psutil.Process().memory_info().rss - before
        self._loaded[file.artifact.sha256] = LoadedModel(use, run, max(grown, at_least))
        self._make_room(0)

    def _read(self, file: ModelFile) -> bytes:
        name = file.artifact.name
        try:
            return read_model(file, self._places)
        except ChangedFileError as error:
            raise RefusedModelError(
                "model_changed",
                f"{name} in models/{file.spec.task_id} is not the file that was published: its content has changed, "
                "so it is not used; put the published file back, or train again.",
            ) from error
        except PostedFolderError as error:
            raise RefusedModelError(
                "no_model", "The project folder is not where it was posted, so its model can't be read."
            ) from error
        except OSError as error:
            raise RefusedModelError(
                "no_model",
                f"{name} in models/{file.spec.task_id} can't be read ({error.strerror or 'it was replaced'}); it may "
                "have been deleted or replaced. Train again to get a new one.",
            ) from error

    def _make_room(self, wanted_bytes: int) -> None:
        """Forget the models that have not answered for the longest time. The newest one always stays."""
        dropped = False
        while (
            len(self._loaded) > (0 if wanted_bytes else 1)
            and wanted_bytes + sum(model.size_bytes for model in self._loaded.values()) > self._limits.models_bytes
        ):
            self._loaded.popitem(last=False)
            dropped = True
        if dropped:
            gc.collect()
