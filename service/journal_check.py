"""Check the journal before `start` starts anything, so that it does not wait for a broker that cannot run."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable
from pathlib import Path

from broker.journal import BrokenJournalError
from broker.journal_store import journal_store
from conf.directory import Directory
from conf.settings import Settings
from protocol.project_layout import MODELS
from trainer_worker.project.model_files import MANIFEST

#: The search for models looks at no more than this many projects in a data root, and models in a project.
MOST_PROJECTS = 5000
MOST_MODELS = 20


def check_journal(settings: Settings, new_journal: bool) -> str:
    """Raise JournalError if the journal is damaged, foreign, unreadable or missing. The message says what to do.

    A journal counts as missing if a model, or the lock file beside an SQLite file, shows that there was one.
    new_journal: the operator wants an empty journal. The old one is then moved aside. Returns a sentence about that for
    the operator, or "".
    """
    store = journal_store(settings.broker)
    if new_journal:
        return store.begin_anew()
    store.check()
    if store.is_blank():
        model = find_model(settings.web.allowed_roots())
        if model is not None:
            raise BrokenJournalError(
                f"There is no journal at {store.shown}, but there are models ({model}). The journal is lost, or it was "
                "elsewhere before ([broker] journal, TFMODEL_HOME).",
                store.cures,
            )
    return ""


def find_model(roots: Iterable[Path]) -> Path | None:
    """Find the folder of a finished model in one of the data roots, by its manifest.

    The search is bounded. Below the data roots it follows no link.
    """
    for root in roots:
        with contextlib.suppress(OSError), Directory.at(root) as folder:
            for project in folder.names()[:MOST_PROJECTS]:
                if model := _model_of(folder, project):
                    return root / project / MODELS / model
    return None


def _model_of(root: Directory, project: str) -> str:
    """The name of the folder of a project's model; "" if there is none, or if the project is no readable folder."""
    with contextlib.suppress(OSError), root.folder(project) as folder, folder.folder(MODELS) as models:
        for name in models.names()[:MOST_MODELS]:
            with contextlib.suppress(OSError), models.folder(name) as model:
                if stat.S_ISREG(model.status(MANIFEST).st_mode):
                    return name
    return ""
