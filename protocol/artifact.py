"""A published file of a model, known by its hash."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import Whole

#: The most artifacts of one model: six formats, some of several files, and what stands beside them.
MAX_ARTIFACTS = 64

#: The path of a file in a model folder, such as "saved_model/saved_model.pb".
ArtifactName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z", max_length=64)]


class Artifact(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One file of a model folder. name: its path in that folder. A file with this hash can be trusted."""

    name: ArtifactName
    size_bytes: Whole
    sha256: Sha256


Artifacts = Annotated[tuple[Artifact, ...], Meta(max_length=MAX_ARTIFACTS)]


class UsableModel(msgspec.Struct, frozen=True, gc=False):
    """The model that a task with a time budget has published before its end. model_path: for the website."""

    model_path: Annotated[str, Meta(max_length=4096)]
    artifact: Artifact
