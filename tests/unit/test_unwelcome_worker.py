"""A worker that the broker does not answer, or turns away, says so in its log: once."""

from __future__ import annotations

from protocol import messages as m
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.events import BrokerSaid, Note, Send, TimePassed
from trainer_worker.agent.settings import AgentSettings

SETTINGS = AgentSettings("w", "s1", "host", ("classification",))
WELCOME = BrokerSaid(m.Welcome(2.0, 10.0, 2337))


def notes_of_a_minute(core: AgentCore, answer: m.BrokerToWorker | None, begin_s: float = 0.0) -> list[str]:
    """What is logged while each Hello gets that answer (None: none)."""
    notes: list[str] = []
    now_s = begin_s
    while now_s < begin_s + 60.0:
        out = core.handle(TimePassed(), now_s)
        if answer is not None and any(isinstance(i, Send) and isinstance(i.message, m.Hello) for i in out):
            out = [*out, *core.handle(BrokerSaid(answer), now_s)]
        notes += [i.template % i.values for i in out if isinstance(i, Note)]
        now_s = max(core.next_deadline(), now_s + 0.01)
    return notes


def test_silence_is_noted_once() -> None:
    notes = notes_of_a_minute(AgentCore(SETTINGS), None)
    assert [note.split()[0] for note in notes] == ["action=worker.waiting"]


def test_a_rejection_is_noted_once_for_each_reason() -> None:
    core = AgentCore(SETTINGS)
    notes = notes_of_a_minute(core, m.Rejected("The name is taken."))
    assert sum("worker.rejected" in note for note in notes) == 1
    notes = notes_of_a_minute(core, m.Rejected("A newer worker has it."), 60.0)
    assert [note for note in notes if "worker.rejected" in note] == [
        "action=worker.rejected reason='A newer worker has it.'"
    ]


def test_after_a_welcome_the_same_troubles_are_news_again() -> None:
    core = AgentCore(SETTINGS)
    notes_of_a_minute(core, m.Rejected("The name is taken."))
    core.handle(WELCOME, 60.0)
    core.handle(TimePassed(), 70.0)
    core.handle(BrokerSaid(m.HelloWanted()), 71.0)
    assert any("worker.rejected" in note for note in notes_of_a_minute(core, m.Rejected("The name is taken."), 71.0))
