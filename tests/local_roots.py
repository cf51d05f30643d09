"""The data roots of a front-end without object storage, for tests that need no whole front-end."""

from __future__ import annotations

from pathlib import Path

from web.files.corrections import CorrectionFiles
from web.files.project_files import ProjectFiles
from web.folders.data_roots import DataRoots
from web.folders.local_folders import LocalFolders
from web.folders.threads import TIMEOUT_S, Threads


def local_roots(*folders: Path, threads: Threads | None = None) -> DataRoots:
    """threads: that open files."""
    local = LocalFolders(folders, threads or Threads("test-files"), Threads("test-browsing"))
    return DataRoots(list(map(str, folders)), local, local)


def project_files(root: Path, timeout_s: float = TIMEOUT_S) -> ProjectFiles:
    threads = Threads("test-files", timeout_s=timeout_s)
    return ProjectFiles(local_roots(root, threads=threads), threads)


def correction_files(root: Path, timeout_s: float = TIMEOUT_S) -> CorrectionFiles:
    return CorrectionFiles(local_roots(root, threads=Threads("test-files", timeout_s=timeout_s)), timeout_s)
