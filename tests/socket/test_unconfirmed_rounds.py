"""A broker that may no longer lead answers nobody, not even what needs no commit."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.endpoints import bind_sockets
from broker.journal import LeadershipLostError
from broker.shell import Shell
from broker.sqlite_journal.journal import SqliteJournal
from broker.tally import Tally
from conf.endpoints import connect_endpoints
from conf.settings import load
from protocol import messages as m
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import TIMEOUT_S

#: An answer that was sent would arrive within this time.
ARRIVES_MS = 200


class DoubtfulJournal(SqliteJournal):
    """A journal whose database does not confirm the leadership."""

    def confirm(self) -> None:
        raise LeadershipLostError("The database has confirmed nothing.")


@pytest.mark.parametrize("request_type", [m.WorkersWanted, m.SnapshotWanted])
def test_nothing_is_sent_in_a_round_that_is_not_confirmed(
    tmp_path: Path, request_type: type[m.WorkersWanted | m.SnapshotWanted]
) -> None:
    settings = load({"TFMODEL_HOME": str(tmp_path)})
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    tally = Tally()
    try:
        sockets = bind_sockets(context, settings, tally)
        (endpoints,) = connect_endpoints(settings)
        with DoubtfulJournal(tmp_path / "journal.sqlite3") as journal, ScriptedFrontEnd(endpoints.web) as front_end:
            shell = Shell(Core(CoreSettings()), journal, sockets, 30.0, tally)
            front_end.send(request_type)
            assert sockets.web.poll(int(TIMEOUT_S * 1000))
            with pytest.raises(LeadershipLostError):
                shell.run()
            assert front_end.hears_nothing(ARRIVES_MS)
    finally:
        context.destroy(linger=0)
