"""An actor has its agent leave when its Ray cluster has lost its head. No cluster runs here."""

from __future__ import annotations

import pytest

pytest.importorskip("ray", reason="ray is not installed; pip install -r requirements-cluster.txt")

import ray
import ray.util
from ray.exceptions import GetTimeoutError, RaySystemError

from cluster import agent_actor


class Head:
    """Answers a few times, and then no more. left: how often the agent was told to leave."""

    def __init__(self, answers: int, error: Exception) -> None:
        self.answers = answers
        self.error = error
        self.left = 0

    def list_named_actors(self) -> list[str]:
        if not self.answers:
            raise self.error
        self.answers -= 1
        return []

    def leave(self) -> None:
        self.left += 1


@pytest.mark.parametrize("error", [GetTimeoutError("no answer"), RaySystemError("lost"), OSError("closed")])
def test_the_agent_leaves_when_the_head_answers_no_more(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    head = Head(3, error)
    monkeypatch.setattr(ray.util, "list_named_actors", head.list_named_actors)
    monkeypatch.setattr(agent_actor, "HEAD_INTERVAL_S", 0.0)
    agent_actor.watch_head(lambda: False, head.leave)
    assert (head.answers, head.left) == (0, 1)


def test_nothing_is_asked_once_the_agent_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Head(3, RaySystemError("lost"))
    monkeypatch.setattr(ray.util, "list_named_actors", head.list_named_actors)
    monkeypatch.setattr(agent_actor, "HEAD_INTERVAL_S", 0.0)
    agent_actor.watch_head(lambda: head.answers == 1, head.leave)
    assert (head.answers, head.left) == (1, 0)


def test_a_process_that_ray_has_disconnected_connects_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[int] = []
    monkeypatch.setattr(ray, "init", lambda: connected.append(1))
    head = Head(0, RaySystemError("lost"))
    agent_actor.watch_head(lambda: False, head.leave)
    assert (connected, head.left) == ([], 1)
