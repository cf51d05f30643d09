"""Check the journal before `start` starts anything, so that it does not wait for a broker that cannot run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from broker.journal_copy import begin_anew
from broker.journal_file import (
    CURES,
    BrokenJournalError,
    JournalError,
    examine,
    is_blank,
    refuse_unreadable,
    refuse_vanished,
)
from conf.settings import Settings

#: The search for models looks at no more than this many projects in a data root, and models in a project.
MOST_PROJECTS = 5000
MOST_MODELS = 20


def check_journal(settings: Settings, new_journal: bool) -> str:
    """Raise JournalError if the journal is damaged, foreign, unreadable or missing. The message says what to do.

    A journal counts as missing if the lock file or a model shows that there was one. new_journal: the operator wants an
    empty journal. The old one is then moved aside. Returns a sentence about that for the operator, or "".
    """
    path = settings.broker.journal_path
    if new_journal:
        aside = begin_anew(path)
        return f"The old journal is kept as {aside}." if aside else ""
    refuse_unreadable(path)
    refuse_vanished(path)
    if is_blank(path):
        model = find_model(settings.web.allowed_roots())
        if model is not None:
            raise BrokenJournalError(
                f"There is no journal at {path}, but there are models ({model}). The journal is lost, or it was "
                "elsewhere before ([broker] journal, TFMODEL_HOME).",
                CURES,
            )
        return ""
    examine(path)
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise JournalError(
            f"User {os.geteuid()} may not write to the journal {path} or its folder; start TFModel as the user that "
            "they belong to."
        )
    return ""


def find_model(roots: Iterable[Path]) -> Path | None:
    """Return the folder of a finished model, which has a manifest, in one of the data roots. The search is limited."""
    for root in roots:
        for project in _folders(root, MOST_PROJECTS):
            for model in _folders(project / "models", MOST_MODELS):
                if (model / "manifest.json").is_file():
                    return model
    return None


def _folders(parent: Path, most: int) -> list[Path]:
    """Return the folders among the first `most` entries of `parent`, without links. [] if `parent` cannot be read."""
    try:
        with os.scandir(parent) as entries:
            return [Path(entry) for entry in islice(entries, most) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
