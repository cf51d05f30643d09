"""The settings that a trainer process needs. The agent passes them to it as one argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from conf.data_roots import Root
from conf.logs import LogFormat
from conf.storage_settings import StorageSettings
from protocol.project_url import ProjectUrl
from trainer_worker.attempt.job import SHARE_ABOVE_PICTURES
from trainer_worker.checkouts.project_folders import AllFolders
from trainer_worker.pictures.decoding_budget import DEFAULT_BYTES


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """keep_models: how many finished models stay in a project folder; 0 for all. threads: how many to compute with.

    allowed_roots, url_roots: projects must lie inside one of these folders, see project/folder.py, or below one of
    these URLs. storage: how those are reached. decoding_bytes: the memory that all threads together may take for
    decoding pictures. share_above_pictures: see Job.
    """

    cache_dir: Path
    weights_dir: Path
    backbone_dir: Path
    threads: int
    keep_models: int = 0
    allowed_roots: tuple[Path, ...] = ()
    url_roots: tuple[str, ...] = ()
    storage: StorageSettings | None = None
    decoding_bytes: int = DEFAULT_BYTES
    share_above_pictures: int = SHARE_ABOVE_PICTURES
    log_format: LogFormat = "text"

    def folders(self) -> AllFolders:
        """The way to the projects of tasks."""
        roots: list[Root] = [*self.allowed_roots, *map(ProjectUrl.parse_root, self.url_roots)]
        return AllFolders(roots, self.storage, self.cache_dir)

    def packed(self) -> str:
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def unpacked(cls, text: str) -> TrainerSettings:
        return msgspec.json.decode(text, type=cls, dec_hook=_path)


def _path(kind: type, value: Any) -> Any:
    """Decode a path from text, because msgspec has no type for paths."""
    return kind(value)
