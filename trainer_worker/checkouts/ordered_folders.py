"""The way to projects for a short process that the front-end starts with an order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from conf.data_roots import read_roots, urls_of
from conf.settings import load
from trainer_worker.checkouts.project_folders import AllFolders


def ordered_folders(allowed_roots: Sequence[str]) -> AllFolders:
    """allowed_roots: those of the order. How object storage is reached stands in this machine's settings."""
    roots = read_roots(allowed_roots)
    if not urls_of(roots):
        return AllFolders(roots, None, Path())
    settings = load(os.environ)
    return AllFolders(roots, settings.storage, settings.worker.cache_path)
