"""Which workers fit to a broker: the same series of TFModel and of TensorFlow. Others are refused for good."""

from __future__ import annotations

import pytest

from broker.releases import series, why_other_version, why_unfit
from conf.settings import ROOT
from protocol import messages as m
from protocol import version
from service.doctor.versions import pins_of
from tests.agent_driver import Driver
from tests.broker_driver import Broker
from trainer_worker.agent import events as agent
from trainer_worker.agent.versions import own_versions

SERIES = version.TENSORFLOW_SERIES


def test_the_series_of_tensorflow_is_that_of_the_pin() -> None:
    pins = pins_of((ROOT / "requirements.txt").read_text().splitlines())
    assert series(pins["tensorflow"]) == SERIES


def test_this_installation_fits_to_itself() -> None:
    versions = own_versions()
    assert set(versions) == {"tfmodel", "tensorflow", "python"}
    assert why_unfit(versions) == ""


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({}, ""),
        ({"tfmodel": f"{series(version.VERSION)}.99", "tensorflow": f"{SERIES}.7", "python": "3.9.1"}, ""),
        ({"tfmodel": "99.1.0"}, "install the same release"),
        ({"tensorflow": "1.15.0"}, "pip install -r requirements.txt"),
        ({"tensorflow": f"{SERIES}0.1"}, "pip install -r requirements.txt"),
        ({"tfmodel": "nonsense"}, "install the same release"),
    ],
)
def test_a_worker_that_does_not_fit_is_told_what_to_install(versions: dict[str, str], words: str) -> None:
    broker = Broker()
    sent = broker.hello(versions=versions)
    if not words:
        assert isinstance(sent[0], m.Welcome)
        return
    (rejected,) = sent
    assert isinstance(rejected, m.Rejected)
    assert rejected.for_good
    assert words in rejected.error
    assert len(broker.core.workers) == 0, "it is not registered"


def test_another_version_of_the_protocol_is_explained() -> None:
    assert "TFM3" in why_other_version(b"TFM3")
    assert version.VERSION in why_other_version(b"TFM3")


def test_a_worker_that_is_refused_for_good_says_so_and_ends() -> None:
    driver = Driver()
    driver.broker(m.Welcome(2.0, 10.0, 2337))
    driver.ready(1)
    driver.start()
    out = driver.broker(m.Rejected("Install another release.", for_good=True))
    assert [note.values for note in out if isinstance(note, agent.Note) and "rejected" in note.template] == [
        ("Install another release.",)
    ]
    assert driver.core.refused == "Install another release."
    assert any(isinstance(each, agent.Leave) for each in out), "it does not wait for a word on its results"
    assert driver.core.work is None


def test_a_refusal_that_may_pass_ends_nothing() -> None:
    driver = Driver()
    out = [*driver.broker(m.Rejected("The name is taken.")), *driver.wait(60.0)]
    assert driver.core.refused == ""
    assert not any(isinstance(each, agent.Leave) for each in out)
