"""Every message survives the wire, says what its loss means, and belongs to one direction."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol import queries as q
from protocol import wire
from protocol.artifact import Artifact, UsableModel
from protocol.end_reason import EndReason
from protocol.errors import FAILURE_CODES, REFUSAL_CODES, Failure, FailureClass, TrainingError
from protocol.message import Message
from protocol.task import AttemptEnd, Task, TaskState, Trained
from protocol.task_filter import TaskFilter
from tests.sample_tasks import changed, hex_id, make_event, make_spec

T1 = hex_id(1)
TASK = Task(
    make_spec(T1, options={"epochs": 3, "learningRate": 0.5, "exports": ["tflite", "onnx"]}),
    TaskState.FAILED,
    attempt=2,
    thread="w1",
    progress=12.5,
    failure=Failure("no_images", FailureClass.DATA, "There are none.", "trace"),
    ended_attempts=(AttemptEnd(1, "w1", "worker_lost", "was lost.", 5.0, counted=False),),
)
USABLE = UsableModel("/p/model.tflite", Artifact("model.tflite", 3, "0" * 64))
PROGRESS = m.Progress(T1, 1, 3.0, "training", 2.0, 1, {"loss": 0.25})
RESULT = m.Result(
    T1, 1, trained=Trained("/p/model.tflite", {"accuracy": 0.9}, {"export": 1.5}, EndReason.STOPPED), progress=99.0
)

POOL = m.PoolInfo("gpu", {"gpu": "a100"}, 0, 4, 2, 1, 1, 0, "Two tasks wait.", 1000.5)

EXAMPLES: dict[Any, list[Message]] = {
    m.WebToBroker: [
        m.Submit(1, make_spec(T1)),
        m.Lookup(2, T1),
        m.Cancel(3, T1),
        m.StopEarly(4, T1),
        m.SnapshotWanted(5),
        m.WorkersWanted(6),
        m.DrainWanted(7, "w1", True),
        q.TasksWanted(
            8, TaskFilter(user_id="anna", states=(TaskState.DONE,), metadata={"plan": "pro"}), "endedAt", "c", 9
        ),
        q.EventsWanted(9, 17, T1, 100),
        q.QueueWanted(10, "anna", 50, 20),
        q.InUseWanted(11, "anna", "flowers", 5),
        m.Promote(12, T1, 1000.5),
        m.PoolsReported(13, (POOL,)),
    ],
    m.BrokerToWeb: [
        m.TaskReply(1, 7, TASK),
        m.Refused(2, "task_ended", "It is over.", TASK),
        m.SnapshotPart(3, 9, (TASK,), (PROGRESS,), True, False),
        m.Workers(4, (m.WorkerInfo("w1", "host", True, "", ("classification",), False, ("CPU",), 512.0, 3, 1000.5),)),
        q.TaskPage(5, 9, (TASK,), "cursor", {TaskState.DONE: 1}),
        q.EventsPart(6, 9, (make_event(3, TASK),), 3, 0),
        q.QueuePart(7, (q.QueuePlace(1, T1),), 3, 1),
        m.Demand(8, (m.Waiting("classification", ("gpu",), 3),), (m.WorkerInfo("w1", "host", True, "", ()),)),
    ],
    m.WorkerToBroker: [
        m.Hello("w1", "s1", "host", ("classification",), True, m.Holding(T1, 1)),
        m.Heartbeat(False, m.Holding(T1, 1)),
        RESULT,
        m.HelpOver(T1, 1),
        m.Goodbye(),
    ],
    m.BrokerToWorker: [
        m.Welcome(2.0, 10.0, 2337, "0" * 64),
        m.HelloWanted(),
        m.Rejected("The name is taken."),
        m.Start(make_spec(T1), 2, 2),
        m.Stop(T1, 1, True, True),
        m.Help(make_spec(T1), 1, 2),
        m.Pulse(helps=m.Holding(T1, 2), helpers=3),
        m.Pulse(m.Stop(T1, 1)),
        m.ResultAck(T1, 1, True),
    ],
    m.Collected: [m.KeyedProgress("0" * 64, PROGRESS)],
    m.Published: [
        PROGRESS,
        m.TasksChanged((changed(3, TASK),)),
        m.Tick(3, 2, 1, 1, 4, pools=(POOL,), unmet=(m.UnmetNeeds("classification", ("gpu",)),), last_tasks=(T1,)),
    ],
    piped.AgentToTrainer: [
        piped.Train(make_spec(T1), 1, 2),
        piped.ComputeFeatures(make_spec(T1), 1, 2),
        piped.Halt(1, T1, True),
    ],
    piped.TrainerToAgent: [
        piped.Ready({"tensorflow": "2"}),
        piped.Report(1.0, "features", 30.0, 2.0, 9.0, 1, {"loss": 1.0}, 8.0, 10.0, 20, USABLE),
        piped.Ended(RESULT, 512.0),
        piped.HelpEnded(T1, 1, 700, 512.0),
    ],
}


def members(union: Any) -> tuple[Any, ...]:
    """The messages of a direction; one that has a single message is not a union."""
    return get_args(union) or (union,)


@pytest.mark.parametrize("union", EXAMPLES)
def test_every_message_survives_the_wire(union: Any) -> None:
    for message in EXAMPLES[union]:
        assert wire.decode(wire.encode(message), union) == message


@pytest.mark.parametrize("union", EXAMPLES)
def test_the_examples_leave_no_message_and_no_field_out(union: Any) -> None:
    assert {type(message) for message in EXAMPLES[union]} == set(members(union))
    for message in EXAMPLES[union]:
        for field in msgspec.structs.fields(message):
            has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
            assert not has_default or field.name in msgspec.to_builtins(message)


def test_each_message_travels_in_one_direction() -> None:
    every = [message for union in EXAMPLES for message in members(union)]
    assert len(every) == len(set(every))
    in_modules = [value for module in (m, piped, q) for value in vars(module).values()]
    defined = {c for c in in_modules if isinstance(c, type) and issubclass(c, Message) and c is not Message}
    assert set(every) == defined


def test_every_message_between_hosts_says_what_its_loss_means() -> None:
    for union in (m.WebToBroker, m.BrokerToWeb, m.WorkerToBroker, m.BrokerToWorker, m.Collected, m.Published):
        for message in members(union):
            assert (message.__doc__ or "").startswith("If lost: "), message.__name__


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        PROGRESS.progress = 4.0  # type: ignore[misc]


def test_failure_and_refusal_codes_are_words_that_do_not_clash() -> None:
    assert not FAILURE_CODES.keys() & REFUSAL_CODES.keys()
    assert all(code.replace("_", "").isalpha() and code.islower() for code in [*FAILURE_CODES, *REFUSAL_CODES])
    assert all(400 <= status < 600 for status in REFUSAL_CODES.values())


def test_a_training_error_with_an_unknown_code_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match=r"protocol/errors\.py"):
        TrainingError("no_such_code", "words")
