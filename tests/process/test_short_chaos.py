"""A short share of `make test-chaos`: every kind of process dies, the journal, the network and the clock fail."""

from __future__ import annotations

from tests.chaos.campaign import Campaign, account_for, integrity
from tests.chaos.faults import FAULTS, LEFT_OUT
from tests.chaos.surroundings import running_service

#: Faults that take a few seconds. test_lost_programs.py restarts the worker, which takes longer.
#: Those of disk, network and clock run only if the machine allows them.
SHORT = (
    "trainer process: kill -9 while it exports",
    "agent: kill -9",
    "broker: kill -9",
    "front-end: kill -9",
    "project folder: disk full for 1 s",
    "journal: read-only for 5 s",
    "network: worker cut off for 4 s",
    "clock: an hour forward, then back",
)


def test_nothing_is_lost_and_nothing_ends_twice() -> None:
    assert set(SHORT) <= {fault.name for fault in (*FAULTS, *LEFT_OUT)}
    faults = [fault for fault in FAULTS if fault.name in SHORT]
    assert len(faults) >= 5
    with running_service() as place:
        # Each new trainer process would load TensorFlow once more to check the files of the other formats.
        campaign = Campaign(place, seed=1, exports="tflite")
        campaign.run(faults, print)
        campaign.finish()
        account = account_for(campaign)
        assert integrity(campaign) == "ok"
    assert account.tasks >= 2
    assert (account.lost, account.ended_twice, account.wrong_state) == (set(), set(), set())
