"""A usable model and the files of a finished one become facts, which callers learn of as events."""

from __future__ import annotations

from msgspec.structs import replace

from broker import core
from broker.events import ModelFound
from broker.facts import ArtifactReady, Done, Fact, ModelUsable
from protocol import messages as m
from protocol.artifact import Artifact, UsableModel
from protocol.task import TaskState
from tests.broker_driver import TRAINED, TTL_S, Broker, failed, with_running_task
from tests.sample_tasks import make_artifact

USABLE = UsableModel(TRAINED.model_path, make_artifact())
PROGRESS = m.Progress("t1", 1, 50.0, usable=USABLE)


def facts_of(broker: Broker, kind: type[Fact]) -> list[Fact]:
    return [record.fact for record in broker.records if isinstance(record.fact, kind)]


def test_the_first_progress_with_a_model_makes_a_fact_and_the_others_make_none() -> None:
    broker = with_running_task()
    for percent in (50.0, 51.0, 52.0):
        assert broker.progress(replace(PROGRESS, progress=percent)) is not None
    assert facts_of(broker, ModelUsable) == [ModelUsable(1, USABLE, 50.0)]
    assert broker.lookup().usable == USABLE
    event = broker.published[-1].event
    assert (event.type, event.state, event.thread, event.attempt) == ("model.usable", "processing", "w1", 1)
    assert (event.model_path, event.artifact) == (USABLE.model_path, USABLE.artifact)
    assert Broker(broker.records).lookup().usable == USABLE


def test_another_hash_is_another_model_and_there_is_a_limit_for_each_attempt() -> None:
    broker = with_running_task()
    for number in range(core.MAX_USABLE_MODELS + 5):
        model = UsableModel(USABLE.model_path, Artifact("model.tflite", 1000, f"{number:064x}"))
        assert broker.progress(replace(PROGRESS, usable=model)) is not None
    assert len(facts_of(broker, ModelUsable)) == core.MAX_USABLE_MODELS
    restarted = Broker(broker.records)
    restarted.hello(ready=False, holds=m.Holding("t1", 1))
    restarted.progress(PROGRESS)
    assert len(facts_of(restarted, ModelUsable)) == core.MAX_USABLE_MODELS, "the limit survives a restart"


def test_a_lost_attempt_does_not_take_the_model_away() -> None:
    broker = with_running_task()
    broker.progress(PROGRESS)
    broker.wait(TTL_S + 1)
    broker.hello()
    task = broker.lookup()
    assert (task.attempt, task.usable) == (2, USABLE)
    broker.progress(replace(PROGRESS, attempt=2))
    assert len(facts_of(broker, ModelUsable)) == 1


def test_a_model_elsewhere_makes_no_fact() -> None:
    broker = with_running_task()
    for usable in (
        UsableModel("/etc/passwd", make_artifact()),
        UsableModel(USABLE.model_path, make_artifact("../../../x")),
        UsableModel(USABLE.model_path, make_artifact("a/../b")),
    ):
        assert broker.progress(replace(PROGRESS, usable=usable)) is None, usable
    assert facts_of(broker, ModelUsable) == []


def test_a_model_of_an_attempt_that_has_ended_meanwhile_makes_no_fact() -> None:
    broker = with_running_task()
    broker.worker(failed("trainer_error"))
    assert broker.handle(ModelFound(PROGRESS)) == []
    broker.worker(m.Heartbeat(True))
    assert broker.lookup().attempt == 2
    broker.handle(ModelFound(PROGRESS))
    assert facts_of(broker, ModelUsable) == []


def test_the_files_of_a_model_are_told_just_before_the_end_in_one_commit() -> None:
    broker = with_running_task()
    artifacts = (make_artifact("model.tflite"), make_artifact("saved_model/saved_model.pb"))
    before = len(broker.published)
    broker.worker(m.Result("t1", 1, trained=replace(TRAINED, artifacts=artifacts)))
    ends = [(change.event.type, change.event.artifact) for change in broker.published[before:]]
    assert ends == [("artifact.ready", artifacts[0]), ("artifact.ready", artifacts[1]), ("task.done", None)]
    task = broker.lookup()
    assert (task.state, task.trained) == (TaskState.DONE, replace(TRAINED, artifacts=artifacts))


def test_a_file_elsewhere_fails_the_attempt() -> None:
    broker = with_running_task()
    trained = replace(TRAINED, artifacts=(make_artifact(), make_artifact("../latest/model.tflite")))
    broker.worker(m.Result("t1", 1, trained=trained))
    assert facts_of(broker, ArtifactReady) == facts_of(broker, Done) == []
    (end,) = broker.lookup().ended_attempts
    assert end.code == "trainer_error"
    assert "'../latest/model.tflite'" in end.error


def test_a_cancelled_task_tells_of_no_files() -> None:
    broker = with_running_task()
    broker.web(m.Cancel(2, "t1"))
    broker.worker(m.Result("t1", 1, trained=replace(TRAINED, artifacts=(make_artifact(),))))
    assert facts_of(broker, ArtifactReady) == []
    assert broker.lookup().state is TaskState.CANCELLED
