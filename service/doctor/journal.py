"""The journal: is it there, sound and ours?"""

from __future__ import annotations

from collections.abc import Iterator

from broker.journal import JournalError
from broker.journal_store import journal_store
from conf.settings import Settings
from service.doctor.result import Result, bad, ok, warn
from service.journal_check import check_journal
from service.supervisor_client import SupervisorClient


def look(settings: Settings) -> Iterator[Result]:
    try:
        store = journal_store(settings.broker)
        if SupervisorClient(settings.home).pid() is None:
            check_journal(settings, new_journal=False)
        if store.is_blank():
            yield ok("journal", f"There is none yet; the first start makes {store.shown}")
        else:
            yield ok("journal", f"{store.shown} is sound: {store.examine()}")
        for concern in store.concerns():
            yield warn("journal", concern, "")
    except JournalError as error:
        # The message says what to do.
        yield bad("journal", str(error), "")
