"""A short share of `python -m tests.chaos.power_loss`: what was acknowledged is there after a power cut."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from protocol import messages as m
from tests.chaos.power_loss.disk import FATES
from tests.chaos.power_loss.journals import JOURNAL
from tests.chaos.power_loss.recording import CAN_RECORD, WHY_NOT, Kind
from tests.chaos.power_loss.scenarios import SCENARIOS
from tests.chaos.power_loss.trial import Trial, no_file_is_synced, no_folder_is_synced
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd

pytestmark = pytest.mark.skipif(not CAN_RECORD, reason=WHY_NOT)

CUTS, DRAWN = 16, 2


@pytest.fixture(scope="module")
def broker_trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(SCENARIOS[0], tmp_path_factory.mktemp("power"))


def test_the_broker_has_every_task_that_it_has_acknowledged(broker_trial: Trial) -> None:
    account = broker_trial.cut(CUTS, DRAWN)
    assert (account.lost, account.torn, account.shown) == (0, 0, [])
    assert account.states > CUTS


@pytest.mark.parametrize("ignores", [no_file_is_synced, no_folder_is_synced])
def test_a_journal_that_is_not_synced_is_found(broker_trial: Trial, ignores: object) -> None:
    """Else the test above would find nothing."""
    account = broker_trial.cut(4, 0, ignores=ignores)  # type: ignore[arg-type]
    assert account.lost > 0


def test_a_broker_serves_what_a_power_cut_has_left(broker_trial: Trial, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    disk = broker_trial.disk()
    told: list[str] = []
    for change in broker_trial.changes[: len(broker_trial.changes) // 2]:
        disk.apply(change)
        if change.kind is Kind.MARK:
            told.append(change.data.decode().split()[1])
    disk.write(left, FATES[0])
    (tmp_path / "place").mkdir()
    with (
        Programs(tmp_path / "place", start=False, BROKER_JOURNAL=left / JOURNAL) as programs,
        ScriptedFrontEnd(programs.endpoints.web) as website,
    ):
        programs.start("broker")
        for task_id in set(told):
            website.ask(m.TaskReply, functools.partial(m.Lookup, task_id=task_id))
    assert told


@pytest.mark.parametrize("name", ["backup and restore", "models", "uploads", "tokens", "keys"])
def test_what_is_kept_is_there_and_whole(name: str, tmp_path: Path) -> None:
    trial = Trial(next(scenario for scenario in SCENARIOS if scenario.name == name), tmp_path)
    account = trial.cut(CUTS, DRAWN)
    assert (account.lost, account.torn, account.shown) == (0, 0, [])
    if name == "models":
        assert trial.cut(CUTS, DRAWN, ignores=no_folder_is_synced).lost > 0
