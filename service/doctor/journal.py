"""The part of the doctor that looks at the journal: is it there, sound and of this program?"""

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
        is_running = SupervisorClient(settings.home).pid() is not None
        if not is_running:
            check_journal(settings, new_journal=False)
        if store.is_blank():
            yield ok("journal", f"There is none yet; the first start makes {store.shown}")
        else:
            yield ok("journal", f"{store.shown} is sound: {store.examine()}")
        leader = store.leader()
        if leader is not None and (leader.leads or not is_running):
            yield ok("leader", str(leader))
        elif leader is not None:
            yield warn(
                "leader", f"{leader}.", "The end of log/broker.log says why this machine's broker does not lead."
            )
        for concern in store.concerns():
            yield warn("journal", concern, "")
    except JournalError as error:
        # The message says what to do.
        yield bad("journal", str(error), "")
