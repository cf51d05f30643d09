"""The settings that a trainer process needs. The agent passes them to it as one argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from conf.logs import LogFormat
from trainer_worker.attempt.job import SHARE_ABOVE_PICTURES
from trainer_worker.pictures.decoding_budget import DEFAULT_BYTES


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """keep_models: how many finished models stay in a project folder; 0 for all. threads: how many to compute with.

    allowed_roots: project folders must lie inside one of these, see project/folder.py. decoding_bytes: the memory that
    all threads together may take for decoding pictures. share_above_pictures: see Job.
    """

    cache_dir: Path
    weights_dir: Path
    threads: int
    keep_models: int = 0
    allowed_roots: tuple[Path, ...] = ()
    decoding_bytes: int = DEFAULT_BYTES
    share_above_pictures: int = SHARE_ABOVE_PICTURES
    log_format: LogFormat = "text"

    def packed(self) -> str:
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def unpacked(cls, text: str) -> TrainerSettings:
        return msgspec.json.decode(text, type=cls, dec_hook=_path)


def _path(kind: type, value: Any) -> Any:
    """Decode a path from text, because msgspec has no type for paths."""
    return kind(value)
