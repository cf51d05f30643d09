"""The held-out pictures of a model and how it did on each, in held_out.json of the model's folder.

They are known by the SHA-256 of their files. The next training holds the same pictures out, and its model is compared
with this one on them (gate.py). The file lies beside the model that it speaks of. Whichever model models/latest names,
its own scores are therefore at hand, also after a copy of the model was taken over, or somebody has pointed the link at
an older one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from conf.directory import Directory
from protocol.text import as_utf8
from trainer_worker.project.manifest import Manifest, Sha256
from trainer_worker.project.model_files import HELD_OUT

#: 300,000 held-out pictures take this much.
MOST_BYTES = 32 * 1024**2
MAX_TRUTH_CHARS = 256

log = logging.getLogger(__name__)


class PictureScore(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """truth: what the picture was scored against: its label, or the SHA-256 of its mask.

    score: 0 to 1; of a classifier 1 if it was right and else 0, of a segmenter the Dice of the picture.
    """

    truth: Annotated[str, Meta(max_length=MAX_TRUTH_CHARS)]
    score: Annotated[float, Meta(ge=0.0, le=1.0)]

    def __post_init__(self) -> None:
        truth = as_utf8(self.truth)
        if len(truth) > MAX_TRUTH_CHARS:  # long labels may differ only in their last characters
            truth = hashlib.sha256(truth.encode()).hexdigest()
        msgspec.structs.force_setattr(self, "truth", truth)


class HeldOutScores(msgspec.Struct, frozen=True):
    """measure: the name of the score, as in Kind.headline. pictures: by the SHA-256 of the picture's file."""

    measure: Annotated[str, Meta(max_length=64)]
    pictures: dict[Sha256, PictureScore]

    @classmethod
    def of(cls, measure: str, contents: Sequence[str], truths: Sequence[str], scores: Sequence[float]) -> HeldOutScores:
        """The scores of these pictures. contents: the SHA-256 of each; "" for an unreadable file, which is left out."""
        named = zip(contents, truths, scores, strict=True)
        return cls(measure, {content: PictureScore(truth, float(score)) for content, truth, score in named if content})

    def encoded(self) -> bytes:
        """The content of held_out.json. The same scores give the same bytes."""
        return msgspec.json.encode(self, order="sorted")


def read_held_out(folder: Directory, manifest: Manifest) -> HeldOutScores | None:
    """The scores in a model's folder; None if there are none, or if we would not have written them."""
    listed = next((file for file in manifest.files if file.path == HELD_OUT), None)
    if listed is None:
        return None
    try:
        content = folder.read(HELD_OUT, min(listed.size_bytes, MOST_BYTES))
        if hashlib.sha256(content).hexdigest() != listed.sha256:
            raise ValueError("it has changed since it was written")
        return msgspec.json.decode(content, type=HeldOutScores)
    # Text that is not JSON or not UTF-8 and numbers out of bounds raise ValueErrors.
    except (OSError, ValueError, RecursionError) as error:
        log.warning("action=held_out.ignored task=%s reason=%r", manifest.task_id, str(error)[:200])
        return None
