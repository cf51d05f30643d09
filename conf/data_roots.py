"""The data roots: folders of this machine, and URLs of object storage below which projects lie."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from conf.cluster_packages import INSTALL
from protocol.project_url import ProjectUrl, is_project_url

#: An absolute folder with links resolved, or a URL.
Root = Path | ProjectUrl

#: The package that reaches object storage.
STORAGE_PACKAGE = "obstore"


def read_roots(texts: Iterable[str]) -> list[Root]:
    """The data roots of a setting, in their order. Raises ValueError for a bad URL."""
    return [ProjectUrl.parse_root(text) if is_project_url(text) else Path(text).resolve() for text in texts]


def given_roots(texts: Iterable[str]) -> list[Root]:
    """The data roots that another process has read already and gives by their texts."""
    return [ProjectUrl.parse_root(text) if is_project_url(text) else Path(text) for text in texts]


def folders_of(roots: Iterable[Root]) -> list[Path]:
    return [root for root in roots if isinstance(root, Path)]


def urls_of(roots: Iterable[Root]) -> list[ProjectUrl]:
    return [root for root in roots if isinstance(root, ProjectUrl)]


def why_bad(key: str, texts: Sequence[str]) -> str:
    """What is wrong with the URLs of a setting, as a sentence that names the key; "" if they are fine."""
    urls = [text for text in texts if is_project_url(text)]
    for text in urls:
        try:
            ProjectUrl.parse_root(text)
        except ValueError as error:
            return f"{key} has a bad URL: {error}"
    if urls and importlib.util.find_spec(STORAGE_PACKAGE) is None:
        return (
            f"{key} names {urls[0]}, and object storage needs the package {STORAGE_PACKAGE}, which is not installed; "
            f"run '{INSTALL}', or name folders only."
        )
    return ""
