"""Hypothesis drives the broker's and the agents' cores through lost, doubled and reordered messages and crashes."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from protocol import messages as m
from tests.stateful.simulated_parts import SimWorker
from tests.stateful.simulation import Simulation

#: `make test-sim` raises this; a step is one rule.
EXAMPLES = int(os.environ.get("SIM_EXAMPLES", "300"))
STEPS = int(os.environ.get("SIM_STEPS", "80"))

CRASHES = st.sampled_from(["", "", "", "before_commit", "after_commit"])
NAMES = st.sampled_from(["w1", "w2", "w3"])
KINDS = ("Start", "Stop", "Result", "ResultAck", "Hello", "Welcome", "HelloWanted", "Goodbye", "Help", "HelpOver")
CODES = st.sampled_from(["", "", "no_images", "out_of_memory", "trainer_error"])


NEEDS = st.sampled_from([(), (), ("gpu",), ("gpu=a100",)])


class CoresOnBadNetwork(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.sim = Simulation()
        self.submitted: list[str] = []
        self.sim.boot_worker("w1")
        self.sim.run_smoothly(3)

    def pick_worker(self, data: st.DataObject) -> SimWorker:
        return self.sim.workers[data.draw(st.sampled_from(sorted(self.sim.workers)))]

    @rule(user=st.sampled_from("abc"), priority=st.integers(0, 2), crash=CRASHES, needs=NEEDS)
    def submit(self, user: str, priority: int, crash: str, needs: tuple[str, ...]) -> None:
        self.submitted.append(self.sim.submit(user, priority, crash, needs=needs))

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def submit_again(self, data: st.DataObject) -> None:
        self.sim.submit("a", 0, task_id=data.draw(st.sampled_from(self.submitted)))

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), crash=CRASHES)
    def cancel(self, data: st.DataObject, crash: str) -> None:
        self.sim.cancel(data.draw(st.sampled_from(self.submitted)), crash)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def stop_early(self, data: st.DataObject) -> None:
        self.sim.stop_early(data.draw(st.sampled_from(self.submitted)))

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), crash=CRASHES)
    def promote(self, data: st.DataObject, crash: str) -> None:
        self.sim.promote(data.draw(st.sampled_from(self.submitted)), crash)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), attempt=st.integers(1, 3))
    def stranger(self, data: st.DataObject, attempt: int) -> None:
        task_id = data.draw(st.sampled_from(self.submitted))
        self.sim.stranger_says(m.Result(task_id, attempt, cancelled=True))

    @precondition(lambda self: self.sim.network)
    @rule(data=st.data(), copies=st.sampled_from([1, 1, 1, 1, 2, 0]), crash=CRASHES)
    def deliver(self, data: st.DataObject, copies: int, crash: str) -> None:
        self.sim.deliver(data.draw(st.integers(0, len(self.sim.network) - 1)), copies, crash)

    @precondition(lambda self: self.sim.network)
    @rule(count=st.integers(1, 10))
    def deliver_in_order(self, count: int) -> None:
        for _ in range(min(count, len(self.sim.network))):
            self.sim.deliver(0)

    @rule(rounds=st.integers(1, 4))
    def run_smoothly(self, rounds: int) -> None:
        self.sim.run_smoothly(rounds)

    @precondition(lambda self: self.sim.network)
    @rule(kind=st.sampled_from(KINDS), copies=st.sampled_from([0, 0, 1, 2]), last=st.booleans())
    def deliver_kind(self, kind: str, copies: int, last: bool) -> None:
        """Lose, double or bring forward one message of a kind that matters; heartbeats are many, these are few."""
        found = [i for i, envelope in enumerate(self.sim.network) if type(envelope.message).__name__ == kind]
        if found:
            self.sim.deliver(found[-1 if last else 0], copies)

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.5, 6.0, 11.0]))
    def advance(self, seconds: float) -> None:
        self.sim.advance(seconds)

    @rule(name=NAMES)
    def boot(self, name: str) -> None:
        self.sim.boot_worker(name)

    @precondition(lambda self: self.sim.workers)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        self.sim.kill_worker(self.pick_worker(data).name)

    @precondition(lambda self: self.sim.workers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.sim.order_to_leave(self.pick_worker(data))

    @precondition(lambda self: self.sim.workers)
    @rule(data=st.data(), asleep=st.booleans())
    def sleep_or_wake(self, data: st.DataObject, asleep: bool) -> None:
        self.pick_worker(data).asleep = asleep

    @rule(name=NAMES, on=st.booleans(), hand_back=st.booleans())
    def drain(self, name: str, on: bool, hand_back: bool) -> None:
        self.sim.drain(name, on, hand_back)

    @rule()
    def restart_broker(self) -> None:
        self.sim.restart_broker()

    @precondition(lambda self: any(w.trainers for w in self.sim.workers.values()))
    @rule(
        data=st.data(),
        what=st.sampled_from(["load", "end", "end", "die", "find", "want"]),
        code=CODES,
        count=st.integers(0, 3),
    )
    def trainer(self, data: st.DataObject, what: str, code: str, count: int) -> None:
        worker, number = data.draw(
            st.sampled_from([(w, n) for w in self.sim.workers.values() for n in w.trainers]), label="trainer"
        )
        trainer = worker.trainers[number]
        if worker.asleep:
            return
        if what == "load" and not trainer.ready:
            self.sim.trainer_loads(worker, number)
        elif what == "end" and trainer.training is not None:
            self.sim.trainer_ends(worker, number, code)
        elif what == "end" and trainer.helping is not None:
            self.sim.help_ends(worker, number)
        elif what == "want" and trainer.training is not None:
            self.sim.trainer_wants_helpers(worker, number, count)
        elif what == "find" and trainer.training is not None:
            self.sim.trainer_finds_a_model(worker, number)
        elif what == "die":
            self.sim.trainer_dies(worker, number)

    @invariant()
    def always(self) -> None:
        self.sim.check()

    def teardown(self) -> None:
        self.sim.check_replay()
        self.sim.settle_twice()


TestCoresOnBadNetwork: Any = CoresOnBadNetwork.TestCase
TestCoresOnBadNetwork.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck)
)
