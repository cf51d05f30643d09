"""The training loop: epochs of steps, with their learning rate, checkpoints, time and early ends.

Both trainers use it. Each of them says what a step is and which batches an epoch has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from protocol.end_reason import EndReason
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Epoch
from trainer_worker.attempt.time_budget import share_spent
from trainer_worker.optimization.adam import Adam
from trainer_worker.optimization.learning_rate import RateSchedule
from trainer_worker.optimization.muon import Muon
from trainer_worker.project.checkpoints import RandomState
from trainer_worker.project.unchanged import TRAINERS_VERSION

#: A lost attempt repeats at most this much and one epoch. With few pictures an epoch takes a tenth of a second, and
#: writing a checkpoint to the disk takes half as long.
CHECKPOINT_INTERVAL_S = 5.0


@dataclass(frozen=True)
class Learner:
    """What is trained, and how one step of it goes.

    network: what is trained, which is a training copy: a keras.Model or a Trainee. optimizer: changes its weights.
    batches: gives the batches of one epoch from a random generator. A batch is the tuple of the arguments of `step`.
    step: takes one optimizer step. It returns the mean loss of the batch, and counts for the score, int (k,).
    score_name: the name of the training score. score_of: computes it from the sum of the counts of an epoch.
    breaks_above: an epoch whose mean loss is larger has broken the network.
    """

    network: Any
    optimizer: Adam | Muon
    batches: Callable[[np.random.Generator], Iterable[tuple[Any, ...]]]
    step: Callable[..., tuple[Any, Any]]
    score_name: str
    score_of: Callable[[Any], float]
    breaks_above: float = math.inf


@dataclass(frozen=True)
class Course:
    """How long a training lasts.

    name: the name of its checkpoint. rows: the pictures that it trains on. A training continues only from a checkpoint
    of the same rows and epochs, and of the same Attempt.learns_from.
    end_by_s: the monotonic time at which it ends even if epochs are left.
    least_steps: neither a stop request nor the time ends it before it has taken this many steps.
    """

    name: str
    rows: Sequence[int]
    epochs: int
    steps_of_epoch: int
    rate: RateSchedule
    end_by_s: float = math.inf
    least_steps: int = 0


@dataclass
class History:
    """epochs: for each epoch the mean loss and the training score, by their names."""

    epochs: list[dict[str, float]] = field(default_factory=list)
    #: Optimizer steps, including those of an epoch that was not finished.
    steps: int = 0
    #: DIVERGED: the network has the weights of the last epoch in `epochs`, or those that it began with.
    end_reason: EndReason = EndReason.CONVERGED

    def was_cut_short(self, reason: EndReason = EndReason.BUDGET) -> None:
        """Note that something else was cut short than the epochs, so that another training might give more.

        By default the time budget was the reason, and left pictures unread.
        """
        if self.end_reason in (EndReason.CONVERGED, EndReason.EPOCHS):
            self.end_reason = reason

    def warnings(self, learning_rate: float) -> list[str]:
        """What the person with the pictures should know of the training. learning_rate: the option."""
        if self.end_reason is not EndReason.DIVERGED:
            return []
        return [
            f"learningRate={learning_rate:g} is too high: epoch {len(self.epochs) + 1} broke the model, so the one "
            "from before it is kept. Try a tenth of it."
        ]


class _Epoch(msgspec.Struct, frozen=True):
    loss: float
    score: float


class _Facts(msgspec.Struct, frozen=True):
    """What a checkpoint says besides its arrays. epochs_in_all: the planned epochs of the training that left it.

    learns_from: see Attempt.
    """

    learns_from: str
    epochs_in_all: int
    rows: list[int]
    epochs: list[_Epoch]
    random: RandomState


class EpochLoop:
    """Trains one learner.

    The reporter hears of every step and every epoch. The Cancelled that it raises is not caught here. After a stop
    request the training ends before the next step. The part of an epoch that was trained by then counts as an epoch.
    """

    def __init__(self, learner: Learner, course: Course, attempt: Attempt) -> None:
        self._learner, self._course = learner, course
        self._reporter, self._checkpoints = attempt.reporter, attempt.checkpoints
        self._learns_from = f"{attempt.learns_from} trainers={TRAINERS_VERSION}"
        self._random = np.random.default_rng(attempt.job.options.seed)

    def run(self, between_steps: Callable[[History], None] = lambda history: None) -> History:
        """Train the epochs that are left; returns what happened. between_steps: called before each step.

        A finished epoch leaves a checkpoint if the last one is CHECKPOINT_INTERVAL_S old, and the last epoch always
        does. A later attempt with the same course continues from it, and ends with the same weights. If it diverges
        then, the checkpoint was damaged, and the training begins anew.
        """
        fresh, fresh_random = self._arrays(), RandomState.of(self._random)
        resumed = self._resume()
        history = self._train(resumed or History(), between_steps)
        if resumed and history.end_reason is EndReason.DIVERGED:
            self._checkpoints.clear()
            self._restore(fresh, fresh_random)
            history = self._train(History(), between_steps)
        return history

    def _train(self, history: History, between_steps: Callable[[History], None]) -> History:
        begun_s, good = time.monotonic(), self._learner.network.get_weights()
        saved_s = begun_s
        while len(history.epochs) < self._course.epochs:
            losses, counts = self._epoch(history, begun_s, between_steps)
            weights = self._learner.network.get_weights()
            if losses and self._is_broken(losses, weights):
                self._learner.network.set_weights(good)
                history.end_reason = EndReason.DIVERGED
                return history
            if losses:
                score = self._learner.score_of(np.sum(counts, axis=0))
                history.epochs.append({"loss": float(np.mean(losses)), self._learner.score_name: score})
                self._reporter.epoch(Epoch(len(history.epochs), self._course.epochs, history.epochs[-1]))
                good = weights
            if len(losses) < self._course.steps_of_epoch:
                return history
            if len(history.epochs) == self._course.epochs or time.monotonic() - saved_s >= CHECKPOINT_INTERVAL_S:
                self._save(history)
                saved_s = time.monotonic()
        return history

    def _epoch(
        self, history: History, begun_s: float, between_steps: Callable[[History], None]
    ) -> tuple[list[float], list[Any]]:
        """Train one epoch, or the part of it that there is time for. Returns loss and counts of each step."""
        learner, course = self._learner, self._course
        losses, counts = [], []
        for batch in learner.batches(self._random):
            if reason := self._why_end(history):
                history.end_reason = reason
                break
            between_steps(history)
            rate = course.rate.at(history.steps, share_spent(begun_s, course.end_by_s))
            learner.optimizer.learning_rate.assign(rate)
            loss, counted = learner.step(*batch)
            losses.append(float(loss))
            counts.append(counted.numpy())
            history.steps += 1
            self._reporter.step(history.steps / course.rate.steps, loss=losses[-1])
        return losses, counts

    def _why_end(self, history: History) -> EndReason | None:
        """Why training ends before the next step; None to continue."""
        if history.steps < self._course.least_steps:
            return None
        if self._reporter.stop_requested:
            return EndReason.STOPPED
        return EndReason.BUDGET if time.monotonic() >= self._course.end_by_s else None

    def _is_broken(self, losses: Sequence[float], weights: Sequence[Any]) -> bool:
        """Whether a loss or a weight is NaN or infinite, or the mean loss too large.

        The weights are looked at because the last step may break them although its loss was finite.
        """
        return not (are_finite([losses, *weights]) and np.mean(losses) <= self._learner.breaks_above)

    def _arrays(self) -> list[np.ndarray]:
        """All that a checkpoint keeps: the network's weights, and the optimizer's state."""
        state = (variable.numpy() for variable in self._learner.optimizer.state)
        return [*self._learner.network.get_weights(), *state]

    def _restore(self, arrays: Sequence[np.ndarray], random: RandomState) -> None:
        network = self._learner.network
        state = self._learner.optimizer.state
        network.set_weights(arrays[: -len(state)])
        for variable, value in zip(state, arrays[-len(state) :], strict=True):
            variable.assign(value)
        random.restore(self._random)

    def _save(self, history: History) -> None:
        epochs = [_Epoch(epoch["loss"], epoch[self._learner.score_name]) for epoch in history.epochs]
        rows, random = list(self._course.rows), RandomState.of(self._random)
        facts = _Facts(self._learns_from, self._course.epochs, rows, epochs, random)
        self._checkpoints.save(self._course.name, facts, self._arrays())

    def _resume(self) -> History | None:
        """Restore the last checkpoint; None if there is none that fits.

        Rows and epochs differ after pictures were added or after an upgrade, and a picture that was held out then
        might be trained on now. The shapes of the arrays differ after the number of classes has changed.
        """
        course = self._course
        saved = self._checkpoints.load(course.name, _Facts, self._arrays())
        if saved is None:
            return None
        facts, arrays = saved
        terms = (self._learns_from, course.epochs, list(course.rows))
        if (facts.learns_from, facts.epochs_in_all, facts.rows) != terms or not 1 <= len(facts.epochs) <= course.epochs:
            return None
        self._restore(arrays, facts.random)
        epochs = [{"loss": epoch.loss, self._learner.score_name: epoch.score} for epoch in facts.epochs]
        return History(epochs, len(epochs) * course.steps_of_epoch)


def are_finite(arrays: Sequence[Any]) -> bool:
    """Whether no number in these arrays is NaN or infinite."""
    return all(bool(np.isfinite(values).all()) for values in arrays)
