"""The trainer process. It imports TensorFlow once, trains task after task, and ends when its pipe closes.

The agent runs it as `python -m trainer_worker.training.child FD PARENT_PID SETTINGS`. SETTINGS is a packed
TrainerSettings.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import math
import os
import platform
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import msgspec

from conf.log_request import logged_request
from conf.logs import set_up_logging
from conf.parent_process import end_with_parent
from protocol import messages as m
from protocol import pipe_messages as piped
from protocol import wire
from protocol.bounds import MAX_TRACE_CHARS, shortened
from protocol.end_reason import EndReason
from protocol.errors import FAILURE_CODES, Failure, FailureClass, TrainingError, is_disk_full
from protocol.message import Message
from protocol.options import typed_options
from protocol.task import Trained
from protocol.text import as_utf8
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Cancelled, Job, PlannedStage
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.attempt.unpacked_archives import archives_unpacked
from trainer_worker.attempt.work_folder import take_work_dir
from trainer_worker.backbones.own_folder import find_own_folder
from trainer_worker.backbones.weights_files import find_weights_file
from trainer_worker.checkouts.project_folders import Unwatched
from trainer_worker.pictures.user_files import LEAVES_PROJECT, RefusedFileError, UserFiles
from trainer_worker.project.continuation import last_training
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.project.latest import finish_publication
from trainer_worker.project.models import (
    AlreadyPublishedError,
    finished_model,
    manifest_of,
    model_path,
    trained,
)
from trainer_worker.project.origin import Tell, nothing
from trainer_worker.project.retention import checkpoints_of, tidy_project
from trainer_worker.project.task_log import TaskLog
from trainer_worker.project.unchanged import FolderContents, fingerprint, read_contents, take_over
from trainer_worker.training.attempt_log import AttemptLog
from trainer_worker.training.download import Download
from trainer_worker.training.folder_changes import FolderChanges
from trainer_worker.training.help_reporter import HelpReporter
from trainer_worker.training.pace import Pace
from trainer_worker.training.process_memory import loading, release_memory
from trainer_worker.training.registry import Train, load_helper, load_kind, load_trainers
from trainer_worker.training.reporter import PipeReporter
from trainer_worker.training.settings import TrainerSettings

log = logging.getLogger("trainer")

TRACE_LINES = 15
#: If hashing a folder takes longer than this, it shows as progress, up to this share of the percent scale.
COMPARED_IN_SILENCE_S = 2.0
COMPARING_SHARE = 0.05


class Child:
    """The pipe, the thread that reads it, and the loop that trains."""

    def __init__(self, pipe: Connection, settings: TrainerSettings) -> None:
        self._pipe = pipe
        self._send_lock = threading.Lock()
        self._settings = settings
        self._folders = settings.folders()
        self._orders: queue.SimpleQueue[piped.Train | piped.ComputeFeatures] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._reporter: PipeReporter | HelpReporter | None = None
        self._holding: tuple[str, int] | None = None
        self._early_halts: dict[tuple[str, int], bool] = {}

    @functools.cached_property
    def _work_dir(self) -> Path:
        """The work folder. The first task makes it, so a full disk fails that task and not the start of the process."""
        return take_work_dir(self._settings.cache_dir)

    def serve(self) -> None:
        """Load everything, send Ready, then do what is ordered, one after the other, until the process ends."""
        threading.Thread(target=self._read_pipe, name="pipe", daemon=True).start()
        cache_dir, threads = self._settings.cache_dir, self._settings.threads
        with loading():
            versions, devices = set_up_tensorflow(threads)
            trainers = load_trainers(cache_dir, threads)
        self._send(piped.Ready(versions, devices))
        while True:
            order = self._orders.get()
            if isinstance(order, piped.Train):
                result = self._train(order, trainers[order.spec.train_type])
                self._send(piped.Ended(result, release_memory()))
            else:
                pictures = self._help(order)
                self._send(piped.HelpEnded(order.spec.task_id, order.attempt, pictures, release_memory()))

    def _read_pipe(self) -> None:
        """Take orders as they come. The pipe ends when the agent does, and then this process ends too."""
        while True:
            try:
                message = wire.unpack(self._pipe.recv_bytes(), piped.AgentToTrainer)
            except (EOFError, OSError, wire.WireError):
                os._exit(0)
            if isinstance(message, piped.Halt):
                self._halt(message)
            else:
                self._orders.put(message)

    def _halt(self, halt: piped.Halt) -> None:
        with self._lock:
            key = (halt.task_id, halt.attempt)
            if self._holding == key and self._reporter is not None:
                self._reporter.halt(halt.keep)
            else:
                self._early_halts[key] = halt.keep

    def _train(self, order: piped.Train, train: Train) -> m.Result:
        """Train one attempt. All lines that this thread logs meanwhile name the call that posted the task."""
        with logged_request(order.spec.request_id):
            log.info("action=training.began task=%s attempt=%d", order.spec.task_id, order.attempt)
            result = self._result_of(order, train)
            log.info("action=training.ended task=%s attempt=%d", order.spec.task_id, order.attempt)
            return result

    def _result_of(self, order: piped.Train, train: Train) -> m.Result:
        key = (order.spec.task_id, order.attempt)
        pace = Pace(self._settings.cache_dir, order.spec.train_type)
        budget_s = cast(float, order.spec.options.get("timeBudget", 0)) or math.inf
        with PipeReporter(self._send, pace.factors(), budget_s) as reporter, self._held(key, reporter):
            try:
                return m.Result(*key, trained=self._trained(order, train, reporter))
            except Cancelled:
                return m.Result(*key, cancelled=True)
            except Exception as error:
                failure = msgspec.structs.replace(explain(error), data=reporter.data_report.shortened())
                log.warning(
                    "action=task.failed task=%s attempt=%d request=%s code=%s",
                    *key,
                    order.spec.request_id,
                    failure.code,
                    exc_info=True,
                )
                return m.Result(*key, failure=failure)

    def _help(self, order: piped.ComputeFeatures) -> int:
        """Help another worker's attempt. Returns the number of pictures. No error of it is an error of the task."""
        spec, reporter = order.spec, HelpReporter()
        with self._held((spec.task_id, order.attempt), reporter), contextlib.suppress(Cancelled):
            try:
                with self._folders.check_out(spec, Unwatched()) as project:
                    refuse_unusable(project)
                    ordered = piped.Train(spec, order.attempt)
                    job = make_job(ordered, project, self._settings, tell=reporter.cancel.obey)
                    attempt = Attempt(job, reporter, self._settings.cache_dir, self._settings.threads)
                    load_helper(spec.train_type)(attempt, order.place)
            except Cancelled:
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {str(error)[:500]}"
                log.warning("action=help.not_given task=%s attempt=%d reason=%r", spec.task_id, order.attempt, reason)
        return reporter.pictures

    @contextlib.contextmanager
    def _held(self, key: tuple[str, int], reporter: PipeReporter | HelpReporter) -> Iterator[None]:
        """In the block, orders to halt this attempt, or the help for it, go to the reporter."""
        with self._lock:
            self._holding, self._reporter = key, reporter
            if key in self._early_halts:
                reporter.halt(self._early_halts.pop(key))
        try:
            yield
        finally:
            with self._lock:
                self._holding, self._reporter = None, None

    def _trained(self, order: piped.Train, train: Train, reporter: PipeReporter) -> Trained:
        task_id = order.spec.task_id
        download = Download(reporter)
        with self._folders.check_out(order.spec, download) as project, TaskLog(project, task_id) as task_log:
            log_of_attempt = AttemptLog(reporter, task_log, order)
            log_of_attempt.begun()
            if came := download.ended():
                log_of_attempt.note(came)
            try:
                result = self._trained_in(project, order, train, (reporter, log_of_attempt))
                result = msgspec.structs.replace(result, stage_seconds={**download.seconds, **result.stage_seconds})
            except Cancelled:
                log_of_attempt.cancelled()
                raise
            except Exception as error:
                cause = project.reason_if_gone() or error
                failure = explain(cause)
                log_of_attempt.failed(failure)
                if failure.failure_class is FailureClass.TRAINER:
                    forget_what_was_kept(project, task_id)
                if cause is error:
                    raise
                raise cause from error
            log_of_attempt.done(result)
            return result

    def _trained_in(
        self, project: ProjectFolder, order: piped.Train, train: Train, reporters: tuple[PipeReporter, AttemptLog]
    ) -> Trained:
        """Train in the project, or take over a model that it has already.

        reporters: one that sends to the agent, and one for the trainer, which also writes the log.
        """
        reporter, logged = reporters
        tell = functools.partial(reporter.step, 0.0)
        tell()
        refuse_unusable(project)
        finished = finished_model(project, order.spec.task_id, tell)
        if finished is not None:
            # An earlier attempt published its model, but died before it could report that.
            finish_publication(project, finished)
            return trained(project, finished)
        job = make_job(order, project, self._settings, self._work_dir, reporter.cancel.obey)
        folder = read_folder(job, reporter)
        options = msgspec.to_builtins(job.options)
        weights_sha256 = job.weights.sha256 if job.weights else ""
        job = dataclasses.replace(job, fingerprint=fingerprint(folder, job.train_type, options, weights_sha256))
        changes = FolderChanges(load_kind(job.train_type), job, folder)
        try:
            copy = take_over(job.gate, job.fingerprint, job.task_id, job.attempt, tell)
            if copy is not None:
                return trained(project, copy)
            with archives_unpacked(job, tell) as ready:
                attempt = Attempt(
                    ready, logged, self._settings.cache_dir, self._settings.threads, began_s=reporter.began_s
                )
                attempt.news = [*project.findings, *changes.findings()]
                result = train(attempt)
        except AlreadyPublishedError as error:
            return trained(project, error.manifest)
        if job.attempt == 1 and result.end_reason in (EndReason.CONVERGED, EndReason.EPOCHS):
            Pace(self._settings.cache_dir, job.train_type).add(*reporter.seconds)
        changes.remember()
        job.checkpoints.clear()
        tidy_project(project, self._settings.keep_models)
        manifest = manifest_of(project, job.task_id)
        return Trained(
            model_path(project, manifest) if manifest is not None else str(result.model_path),
            result.metrics,
            result.stage_seconds,
            result.end_reason,
            tuple(result.warnings),
            reporter.data_report.shortened(),
            result.comparison,
            tuple(result.artifacts),
        )

    def _send(self, message: Message) -> None:
        with self._send_lock:
            self._pipe.send_bytes(wire.pack(message))


def read_folder(job: Job, reporter: PipeReporter) -> FolderContents:
    """The names and contents of the project. A cancel interrupts the hashing, and long hashing shows progress."""
    began_s = time.monotonic()

    def on_step(fraction: float) -> None:
        if fraction and time.monotonic() - began_s > COMPARED_IN_SILENCE_S:
            reporter.plan([PlannedStage("starting", COMPARING_SHARE), PlannedStage("training", 1.0 - COMPARING_SHARE)])
            reporter.step(fraction)
        else:
            reporter.step(0.0)

    return read_contents(job.project.files, on_step)


def forget_what_was_kept(project: ProjectFolder, task_id: str) -> None:
    """Clear what an attempt left in .tfmodel, after an unforeseen error: those files may have caused it."""
    checkpoints_of(project, task_id).clear()
    last_training(project).clear()


def make_job(
    order: piped.Train,
    project: ProjectFolder,
    settings: TrainerSettings,
    work_dir: Path | None = None,
    tell: Tell = nothing,
) -> Job:
    """Make the trainer's Job from an order. tell: see LocalWeights."""
    spec = order.spec
    options = typed_options(spec.train_type, spec.options)
    batch_size = max(1, options.batch_size // order.batch_divisor)
    options = msgspec.structs.replace(options, batch_size=batch_size)
    weights = find_own_folder(options.backbone, settings.backbone_dir) or find_weights_file(
        options.backbone, settings.weights_dir
    )
    return Job(
        spec.task_id,
        order.attempt,
        project,
        spec.train_type,
        options,
        weights=LocalWeights.at(weights, tell) if weights else None,
        work_dir=work_dir,
        decoding_bytes=settings.decoding_bytes,
        share_above_pictures=settings.share_above_pictures,
    )


def refuse_unusable(project: ProjectFolder) -> None:
    """Raise TrainingError if nothing could be trained in the folder, or no model be put into it."""
    refuse_links_outside(project.files)
    project.refuse_closed_models()


def refuse_links_outside(files: UserFiles) -> None:
    """Raise TrainingError if a picture folder is a link that leads out of the folder that the front-end admitted."""
    for name in ("images", "labels", "masks"):
        try:
            files.find(files.project_dir / name)
        except RefusedFileError as refused:
            if refused.reason == LEAVES_PROJECT:
                raise TrainingError(
                    "link_leaves_project",
                    f"{name} in projectDir is a link to a place outside of projectDir; put a folder there instead.",
                ) from refused


def explain(error: Exception) -> Failure:
    """The failure that is reported for an exception of a trainer: its code and a text."""
    trace = "".join(traceback.format_exception(error)).splitlines()[-TRACE_LINES:]
    if isinstance(error, TrainingError):
        code, words = error.code, error.error
    elif is_disk_full(error):  # before memory: TensorFlow has one type of error for both
        code, words = "disk_full", f"The disk is full: {str(error)[:500]}. Free some space and post the task again."
    elif isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        code, words = "out_of_memory", "The training ran out of memory; post a smaller batchSize or imageSize."
    else:
        code, words = "trainer_error", f"The training failed: {type(error).__name__}: {str(error)[:500]}"
    return Failure(
        code,
        FAILURE_CODES[code],
        as_utf8(words),
        as_utf8("\n".join(shortened(line, MAX_TRACE_CHARS // TRACE_LINES - 1) for line in trace)),
    )


def set_up_tensorflow(threads: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """Set TensorFlow up for this process; returns the versions and the devices that it computes with."""
    import tensorflow as tf  # not at the top, because the agent imports parts of this package

    tf.get_logger().setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # TensorFlow takes memory as needed, because several workers may share a GPU.
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    devices = tuple(shortened(name, m.MAX_DEVICE_CHARS) for name in names[: m.MAX_DEVICES]) or ("CPU",)
    return {"python": platform.python_version(), "tensorflow": tf.__version__}, devices


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process when its agent dies, even while a C call keeps Python from reading the pipe."""
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(0)


def main() -> None:
    fd, parent_pid, settings = sys.argv[1:]
    if sys.platform == "linux":
        die_with_parent(int(parent_pid))
    trainer_settings = TrainerSettings.unpacked(settings)
    set_up_logging("trainer", trainer_settings.log_format)
    Child(Connection(int(fd)), trainer_settings).serve()


if __name__ == "__main__":
    main()
