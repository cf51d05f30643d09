"""What a worker says of its machine: the label of its GPU, and how far its clock is off."""

from __future__ import annotations

import re

import pytest

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.labels import labels_of
from tests.agent_driver import Driver
from trainer_worker.agent import events as agent
from trainer_worker.agent.gpu_names import gpu_label
from trainer_worker.agent.machine import MOST_SKEW_S

WALL_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("Tesla T4", "t4"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4070 SUPER", "rtx-4070-super"),
        ("NVIDIA GeForce RTX 3080 Laptop GPU", "rtx-3080"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("Quadro P2000", "p2000"),
        ("AMD Instinct MI250X", "mi250x"),
        ("GPU", "gpu"),
        ("NVIDIA", "unknown"),
        ("\u540d\u524d " * 40, "unknown"),
        ("x" * 200, "x" * 31),
    ],
)
def test_a_gpu_has_the_short_name_that_people_ask_for(name: str, label: str) -> None:
    assert gpu_label([name, "NVIDIA H200"]) == label
    assert labels_of([f"gpu={label}"]) == {"gpu": label}


def test_without_a_gpu_there_is_no_label() -> None:
    assert gpu_label([]) == gpu_label(["CPU"]) == ""


def heartbeat(driver: Driver) -> m.Heartbeat:
    """What the next heartbeat says."""
    (said,) = [each.message for each in driver.wait(2.25) if isinstance(each, agent.Send)]
    assert isinstance(said, m.Heartbeat)
    return said


def welcomed(**settings: object) -> tuple[Driver, m.Hello]:
    driver = Driver(**settings)
    (hello,) = [each.message for each in driver.handle(agent.TimePassed()) if isinstance(each, agent.Send)]
    assert isinstance(hello, m.Hello)
    driver.broker(m.Welcome(2.0, 10.0, 2337, at_s=WALL_S))
    return driver, hello


def notes(out: list[agent.Instruction], name: str) -> list[str]:
    return [each.template % each.values for each in out if isinstance(each, agent.Note) and name in each.template]


def test_the_label_is_the_drivers_until_tensorflow_has_looked() -> None:
    driver, hello = welcomed(gpu="a100", labels={"room": "2"}, versions={"tensorflow": "2.21.0"})
    assert hello.labels == {"gpu": "a100", "room": "2"}
    assert hello.versions == {"tensorflow": "2.21.0"}
    driver.trainer(1, piped.Ready({}, ("NVIDIA H200",)))
    assert heartbeat(driver).labels == {"gpu": "h200", "room": "2"}


def test_a_gpu_that_tensorflow_cannot_use_is_no_label_and_the_log_says_so() -> None:
    driver, _ = welcomed(gpu="a100")
    out = driver.trainer(1, piped.Ready({}, ("CPU",)))
    assert re.search("gpu=a100.*tensorflow\\[and-cuda\\]", notes(out, "gpu_unused")[0])
    assert heartbeat(driver).labels == {}
    assert notes(driver.trainer(2, piped.Ready({}, ("CPU",))), "gpu_unused") == [], "it is said once"


def test_a_label_of_the_operator_stands_whatever_is_found() -> None:
    driver, hello = welcomed(labels={"gpu": "big"}, gpu="a100")
    driver.trainer(1, piped.Ready({}, ("CPU",)))
    assert hello.labels == heartbeat(driver).labels == {"gpu": "big"}


@pytest.mark.parametrize(("skew_s", "where"), [(3600.0, "3,600 s ahead of"), (-90.0, "90 s behind")])
def test_a_clock_that_is_off_is_said_once_and_once_when_it_is_right_again(skew_s: float, where: str) -> None:
    driver, _ = welcomed()

    def sample(skew_s: float) -> list[agent.Instruction]:
        driver.now_s += 1.0
        return driver.handle(agent.MachineSampled(500.0, WALL_S + driver.now_s - 100.0 + skew_s))

    assert notes(sample(0.4), "clock") == []
    (said,) = notes(sample(skew_s), "clock")
    assert where in said
    assert notes(sample(skew_s), "clock") == []
    assert heartbeat(driver).clock_skew_s == pytest.approx(skew_s)
    assert notes(sample(MOST_SKEW_S - 1), "clock") == ["action=worker.clock_right"]
    assert heartbeat(driver).clock_skew_s == pytest.approx(MOST_SKEW_S - 1)


def test_a_broker_that_does_not_tell_its_time_means_no_skew() -> None:
    driver, _ = welcomed()
    driver.broker(m.Welcome(2.0, 10.0, 2337))
    driver.handle(agent.MachineSampled(500.0, WALL_S + 9999.0))
    assert heartbeat(driver).clock_skew_s == 0.0
