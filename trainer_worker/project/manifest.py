"""Reads manifest.json, which lists the files of a model with their sizes and hashes.

Others can write to the folder, so everything that is read has a type and a bound. A manifest with anything in it that
we would not have written is treated as absent.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from conf.directory import Directory
from protocol.artifact import MAX_ARTIFACTS, Artifact
from protocol.bounds import TaskId
from protocol.comparison import Comparison
from protocol.data_report import DataReport
from protocol.end_reason import EndReason
from storage.model_places import MOST_MANIFEST_BYTES, Publication
from trainer_worker.project.model_files import FILES, MANIFEST, is_model_file
from trainer_worker.project.sealed_json import unsealed

#: A TFLite file has at most 2 GB.
MOST_FILE_BYTES = 4 * 1024**3
#: The manifest itself is an artifact as well.
MOST_FILES = MAX_ARTIFACTS - 1
#: More levels than a trainer writes. Python's own functions fail at about a thousand.
MOST_NESTED = 16

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Word = Annotated[str, Meta(max_length=100)]
_Warning = Annotated[str, Meta(max_length=10_000)]


class ListedFile(msgspec.Struct, frozen=True):
    """path: relative to the model's folder."""

    path: Annotated[str, Meta(max_length=200)]
    size_bytes: Annotated[int, Meta(ge=0, le=MOST_FILE_BYTES)]
    sha256: Sha256

    def __post_init__(self) -> None:
        if not is_model_file(self.path):
            raise ValueError("a listed path is not that of a file that we write")

    @property
    def artifact(self) -> Artifact:
        return Artifact(self.path, self.size_bytes, self.sha256)


class Manifest(msgspec.Struct, frozen=True):
    """The fields of a manifest that we read.

    folder: in object storage, the folder of the files in that of the model (storage/model_places.py).
    promoted: whether models/latest was to be pointed to this model when it was published (see gate.py).
    content: the manifest as plain JSON values without its checksum, for a copy of the model. itself: manifest.json as a
    file. Both are set by read_manifest.
    """

    task_id: TaskId
    model_file: str
    files: Annotated[list[ListedFile], Meta(min_length=1, max_length=MOST_FILES)]
    fingerprint: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    train_type: _Word = ""
    interim: bool = False
    folder: Publication = ""
    taken_over_from: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    promoted: bool = True
    comparison: Comparison | None = None
    end_reason: EndReason = EndReason.UNKNOWN
    metrics: Annotated[dict[_Word, float | None], Meta(max_length=100)] = {}
    stage_seconds: Annotated[dict[_Word, float], Meta(max_length=100)] = {}
    warnings: Annotated[list[_Warning], Meta(max_length=10_000)] = []
    data_report: DataReport = DataReport()
    content: dict[str, Any] = {}
    itself: Artifact | None = None

    def __post_init__(self) -> None:
        listed = {file.path.partition("/")[0] for file in self.files}
        if self.model_file not in FILES.values() or self.model_file not in listed:
            raise ValueError("model_file is not one of the files")

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files of the model's folder."""
        return (*(file.artifact for file in self.files), *([self.itself] if self.itself else []))


class ForeignManifestError(Exception):
    """The folder has a manifest that we would not have written. The message says why."""


def read_manifest(folder: Directory, task_id: str) -> Manifest | None:
    """The manifest in a model's folder; None if there is none. Raises ForeignManifestError, also for another task's."""
    try:
        text = folder.read(MANIFEST, MOST_MANIFEST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ForeignManifestError(str(error)[:200]) from error
    return decoded_manifest(text, task_id)


def decoded_manifest(text: bytes, task_id: str) -> Manifest:
    """The manifest with this content. Raises ForeignManifestError, also for another task's."""
    try:
        content = unsealed(text)
        manifest = msgspec.convert(content, Manifest)
        if manifest.task_id != task_id or not _is_plain(content, MOST_NESTED):
            raise ValueError("it belongs to another task, or has values that we do not write")
    # Text that is not JSON or not UTF-8 and fields out of bounds raise ValueErrors.
    except (ValueError, RecursionError) as error:
        raise ForeignManifestError(str(error)[:200]) from error
    return msgspec.structs.replace(manifest, content=content, itself=manifest_artifact(text))


def manifest_artifact(text: bytes) -> Artifact:
    """A manifest with this content as one of the model's files."""
    return Artifact(MANIFEST, len(text), hashlib.sha256(text).hexdigest())


def _is_plain(value: Any, most_nested: int) -> bool:
    """Whether the value can be written again: it is not nested too deeply and has no number of more than 64 bits."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return most_nested > 0 and all(_is_plain(item, most_nested - 1) for item in items)
    return not isinstance(value, int) or -(2**63) <= value < 2**64
