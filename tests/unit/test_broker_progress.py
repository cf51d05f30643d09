"""What workers publish goes on to the front-ends only as news of a lease from the worker that holds it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from broker.facts import Record
from protocol import messages as m
from protocol.artifact import UsableModel
from tests.broker_driver import TRAINED, Broker, with_running_task
from tests.sample_tasks import make_artifact

MODEL = TRAINED.model_path
USABLE = UsableModel(MODEL, make_artifact())


def test_the_holders_progress_is_passed_on_without_its_key() -> None:
    broker = with_running_task()
    progress = m.Progress("t1", 1, 12.5, "train", 3.0, 1, {"loss": 0.5}, usable=USABLE)
    assert broker.progress(progress) == progress
    assert broker.core.progress == {"t1": progress}
    key = broker.core.holders["t1"].publish_key
    assert len(key) == 64
    assert key not in msgspec.json.encode(broker.core.progress["t1"]).decode()


def test_nobody_else_can_publish_for_the_holder() -> None:
    broker = with_running_task()
    broker.hello("w2")
    progress = m.Progress("t1", 1, 50.0)
    assert broker.progress(progress, name="w2") is None, "with the key of another worker"
    for key in ("", "0" * 64, "w1"):
        assert broker.core.take_progress(m.KeyedProgress(key, progress)) is None
    assert broker.core.progress == {}


def test_a_holder_that_the_broker_knows_from_its_journal_only_has_no_key_yet() -> None:
    records: list[Record] = with_running_task().records
    broker = Broker(records)
    assert broker.core.take_progress(m.KeyedProgress("", m.Progress("t1", 1, 50.0))) is None


def test_keys_of_another_run_of_the_broker_open_nothing() -> None:
    before = with_running_task(publish_secret=b"one")
    key = before.core.holders["t1"].publish_key
    broker = Broker(before.records, publish_secret=b"two")
    broker.hello(ready=False, holds=m.Holding("t1", 1))
    assert broker.core.take_progress(m.KeyedProgress(key, m.Progress("t1", 1, 50.0))) is None
    assert broker.progress(m.Progress("t1", 1, 50.0)) is not None


def test_only_the_leased_attempt_of_a_running_task_counts() -> None:
    broker = with_running_task()
    assert broker.progress(m.Progress("t1", 2, 50.0)) is None
    assert broker.progress(m.Progress("t2", 1, 50.0)) is None
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    assert broker.progress(m.Progress("t1", 1, 50.0)) is None


def test_progress_never_goes_back() -> None:
    broker = with_running_task()
    assert broker.progress(m.Progress("t1", 1, 12.5)) is not None
    assert broker.progress(m.Progress("t1", 1, 3.0)) is None
    assert broker.progress(m.Progress("t1", 1, 12.5)) is not None
    assert broker.core.progress["t1"].progress == 12.5


def test_a_model_elsewhere_is_not_published() -> None:
    broker = with_running_task()
    for path in (
        "/etc/passwd",
        MODEL.replace("t1", "t2"),
        MODEL + "/../../../x",
        "models/t1/model.tflite",
        MODEL + "\n",
    ):
        assert broker.progress(m.Progress("t1", 1, 50.0, usable=replace(USABLE, model_path=path))) is None, path
    assert broker.core.progress == {}


def test_the_events_of_an_attempt_do_not_go_back_behind_its_progress() -> None:
    broker = with_running_task()
    broker.progress(m.Progress("t1", 1, 40.0))
    broker.web(m.StopEarly(2, "t1"))
    broker.progress(m.Progress("t1", 1, 60.0, usable=USABLE))
    broker.worker(m.Result("t1", 1, trained=replace(TRAINED, artifacts=(make_artifact(),))))
    events = [change.event for change in broker.published]
    assert [(event.type, event.progress) for event in events] == [
        ("task.submitted", 0.0),
        ("task.started", 0.0),
        ("task.stop_requested", 40.0),
        ("model.usable", 60.0),
        ("artifact.ready", 60.0),
        ("task.done", 100.0),
    ]


def test_a_cancelled_tasks_events_keep_its_progress() -> None:
    broker = with_running_task()
    broker.progress(m.Progress("t1", 1, 40.0))
    broker.web(m.Cancel(2, "t1"))
    assert broker.published[-1].event.progress == 40.0
