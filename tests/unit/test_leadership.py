"""Of several brokers over one database, one leads: the others wait, and what an earlier leader commits is refused."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from broker.__main__ import print_leader
from broker.facts import Record, Submitted, evolve
from broker.journal import JournalError, LeadershipLostError
from broker.journal_store import journal_store
from conf.settings import load
from service.doctor import journal as doctor
from tests.breakable_proxy import BreakableProxy
from tests.free_ports import free_ports
from tests.postgres_server import server_or_skip
from tests.sample_tasks import hex_id, make_spec
from tests.waiting import TIMEOUT_S, wait_until

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -r requirements-cluster.txt")

from broker.postgres_journal import journal as postgres_journal
from broker.postgres_journal import leadership
from broker.postgres_journal.journal import PostgresJournal
from broker.postgres_journal.store import PostgresStore

OF_LEADERS, OF_WRITERS = "tfmodel leader", "tfmodel broker"


@pytest.fixture
def url() -> str:
    return server_or_skip().new_url()


@pytest.fixture
def store(url: str) -> PostgresStore:
    return PostgresStore(url)


@pytest.fixture
def proxy() -> Iterator[BreakableProxy]:
    with BreakableProxy(server_or_skip().port) as made:
        yield made


@pytest.fixture
def through_proxy(url: str, proxy: BreakableProxy) -> PostgresStore:
    """The same journal, by way of the proxy."""
    return PostgresStore(url.replace(f":{server_or_skip().port}/", f":{proxy.port}/"))


def submit(journal: PostgresJournal, seq: int) -> None:
    record = Record(seq, float(seq), hex_id(seq), Submitted(make_spec(hex_id(seq))))
    journal.append([record], [evolve(None, record)])


def end_sessions(store: PostgresStore, name: str) -> None:
    """As a restart of the database does it."""
    with store.connected() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", [name]
        )


def is_led(store: PostgresStore) -> bool:
    found = store.leader()
    return found is not None and found.leads


def is_lost(journal: PostgresJournal) -> bool:
    try:
        journal.confirm()
    except LeadershipLostError:
        return True
    return False


def test_a_second_broker_waits_and_leads_as_soon_as_the_first_one_closes(store: PostgresStore) -> None:
    first = store.open()
    heard: list[str] = []

    def wait(leader: str) -> None:
        heard.append(leader)
        if len(heard) == 3:
            first.close()

    with closing(store.open(wait)) as second:
        assert (first.term, second.term) == (1, 2)
        submit(second, 1)
    found = store.leader()
    assert found is not None
    assert set(heard) == {found.host}
    assert found.term == 2
    wait_until(lambda: not is_led(store), "the end of the second broker's session")


def test_who_does_not_want_to_wait_is_told_where_the_other_broker_runs(store: PostgresStore) -> None:
    with store.open():
        found = store.leader()
        assert found is not None
        assert found.leads
        with pytest.raises(JournalError, match=f"Another broker is using the journal, on {found.host}"):
            store.open()


@pytest.mark.parametrize("former_session_ends", [True, False])
def test_an_earlier_leader_cannot_write(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, former_session_ends: bool
) -> None:
    """Even if the database does not let the new leader end its session: each commit compares the term."""
    monkeypatch.setattr(leadership, "CONFIRM_INTERVAL_S", 1000.0)  # It does not notice by itself.
    if not former_session_ends:
        monkeypatch.setattr(postgres_journal, "end_writer_before", lambda _: None)
    former = store.open()
    submit(former, 1)
    end_sessions(store, OF_LEADERS)
    with store.open() as present:
        with pytest.raises(JournalError) as refused:
            submit(former, 2)
        with pytest.raises(JournalError):
            former.note_pruned(1)
        assert present.last_seq() == 1
        submit(present, 2)
    if not former_session_ends:
        assert isinstance(refused.value, LeadershipLostError)
        assert "The commit was refused" in str(refused.value)
        assert "leads in term 2, and the term of this one was 1" in str(refused.value)
    former.close()


def test_a_leader_that_was_stopped_within_a_commit_keeps_nobody_from_leading(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "SESSION_IDLE_S", TIMEOUT_S)  # The database does not end a session by itself.
    former = store.open()
    former._db.execute("BEGIN")
    former._db.execute("SELECT hold_term(%s)", [former.term])
    end_sessions(store, OF_LEADERS)
    began_s = time.monotonic()
    with store.open() as present:
        submit(present, 1)
    assert time.monotonic() - began_s < TIMEOUT_S
    former.close()


def test_a_lost_session_is_reported_at_once_with_the_reason(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "CONFIRM_INTERVAL_S", 1000.0)  # It does not find out by asking.
    losses: list[LeadershipLostError] = []
    with store.open() as journal:
        journal.report_loss_to(losses.append)
        end_sessions(store, OF_LEADERS)
        wait_until(lambda: losses, "the report of the loss")
        assert "terminating connection" in str(losses[0])
        assert is_lost(journal)
        journal.report_loss_to(losses.append)
        assert losses[0] is losses[1], "who asks later is told as well"


def test_a_leader_that_the_database_does_not_answer_stops_before_another_one_can_lead(
    store: PostgresStore, through_proxy: PostgresStore, proxy: BreakableProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all times half of the real ones. Neither side is told that the network is gone."""
    assert leadership.FRESH_S < leadership.SESSION_IDLE_S
    for name, seconds in (("CONFIRM_INTERVAL_S", 0.5), ("ANSWER_TIMEOUT_S", 1.5), ("FRESH_S", 2.0)):
        monkeypatch.setattr(leadership, name, seconds)
    monkeypatch.setattr(leadership, "SESSION_IDLE_S", 3.0)
    former = through_proxy.open()
    losses: list[LeadershipLostError] = []
    former.report_loss_to(losses.append)
    former.confirm()
    proxy.freeze()
    with store.open(lambda _: time.sleep(0.05)):
        assert is_lost(former), "there were two leaders"
    wait_until(lambda: losses, "the report of the loss")
    proxy.mend()
    former.close()


def test_after_a_pause_nobody_is_answered_before_the_database_has_confirmed(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.open() as journal:
        clock = itertools.repeat(leadership.now_s() + 60.0)
        asks = threading.Event()
        ask = journal._leadership._ask

        def ask_when_allowed() -> None:
            assert asks.wait(TIMEOUT_S)
            ask()

        monkeypatch.setattr(journal._leadership, "_ask", ask_when_allowed)
        monkeypatch.setattr(leadership, "now_s", lambda: next(clock))
        confirmed = threading.Thread(target=journal.confirm)
        confirmed.start()
        confirmed.join(0.1)
        assert confirmed.is_alive(), "it waits"
        asks.set()
        confirmed.join(TIMEOUT_S)
        assert not confirmed.is_alive()


def test_a_broker_that_stands_by_survives_the_loss_of_its_connection(
    store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    first = store.open()
    looked = itertools.count()

    def wait(_: str) -> None:
        if next(looked) == 0:
            end_sessions(store, OF_LEADERS)
            wait_until(lambda: is_lost(first), "the loss")
            with pytest.raises(JournalError):
                first.confirm()

    with store.open(wait) as second:
        assert second.term == 2
    assert "action=journal.awaited" in caplog.text
    first.close()


def test_the_doctor_names_the_leader(url: str, store: PostgresStore, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    settings = load({"TFMODEL_HOME": str(home), "TFMODEL_BROKER_JOURNAL": url})
    assert journal_store(settings.broker).leader() is None
    with store.open():
        words = [result.sentence for result in doctor.look(settings) if result.topic == "leader"]
    assert len(words) == 1
    assert words[0].startswith("The broker on ")
    assert "has led since" in words[0]
    assert any("No broker leads now" in result.sentence for result in doctor.look(settings) if result.topic == "leader")


def test_the_command_says_who_leads_and_shows_no_password(
    url: str, store: PostgresStore, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    home = {"TFMODEL_HOME": str(tmp_path_factory.mktemp("home"))}

    def said(**environ: str) -> tuple[int, str]:
        code = print_leader(load(home | environ))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    assert said() == (1, "The journal is a file, which only one broker can use, so none stands by.\n")
    assert said(TFMODEL_BROKER_JOURNAL=url) == (1, "No broker has ever led.\n")
    with store.open():
        code, words = said(TFMODEL_BROKER_JOURNAL=url)
        assert (code, "has led since" in words) == (0, True)
    (closed,) = free_ports(1)
    code, words = said(TFMODEL_BROKER_JOURNAL=f"postgresql://anna:s3cret@127.0.0.1:{closed}/tfmodel")
    assert (code, "s3cret" in words) == (1, False)
    assert "Cannot connect" in words
