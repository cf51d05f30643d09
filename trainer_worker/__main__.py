"""`python -m trainer_worker [--name NAME] [--broker tcp://HOST:PORT]`: one worker, until SIGTERM."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import re
import socket
import sys

import zmq

from conf.curve import WORKER, load_client_keys, local_client_keys
from conf.data_roots import folders_of, urls_of
from conf.endpoints import connect_endpoints
from conf.logs import set_up_logging
from conf.settings import Settings, SettingsError, exit_bad_settings, load_or_exit
from conf.tracing import set_up_traces
from trainer_worker.agent.attempt_spans import record_attempt
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.discarding import Discarding
from trainer_worker.agent.loop import Agent, catch_signals
from trainer_worker.agent.name_lock import NameTakenError, take_name
from trainer_worker.agent.settings import AgentSettings
from trainer_worker.agent.spawned_trainer import SpawnedTrainer
from trainer_worker.pictures.decoding_budget import bytes_for
from trainer_worker.training.registry import train_types
from trainer_worker.training.settings import TrainerSettings

log = logging.getLogger("worker")

NAME_PATTERN = r"[A-Za-z0-9._-]{1,80}"


def run(settings: Settings, name: str, start_id: str, broker: str) -> None:
    """Work until SIGTERM or SIGINT. broker: tcp://HOST:PORT of another machine, or "" for this machine's broker."""
    set_up_logging(f"worker.{name}", settings.log.format)
    worker, roots = settings.worker, settings.all_worker_roots
    try:
        # Keys are only made on the broker's own machine. The broker would not accept keys that were made elsewhere.
        keys = load_client_keys(settings.broker.curve_path, WORKER) if broker else local_client_keys(settings, WORKER)
        endpoint = broker or connect_endpoints(settings).worker
        traces = set_up_traces(os.environ, "worker")
    except SettingsError as error:
        exit_bad_settings(str(error))
    core = AgentCore(
        AgentSettings(
            worker=name,
            start_id=start_id,
            host=socket.gethostname(),
            train_types=train_types(),
            tasks_per_process=worker.tasks_per_process,
            memory_limit_mb=worker.memory_limit_mb,
            stop_grace_s=worker.stop_grace_s,
            kill_grace_s=worker.kill_grace_s,
            stall_limit_s=worker.stall_limit_s,
            keep_spare=worker.keep_spare,
        )
    )
    worker.cache_path.mkdir(parents=True, exist_ok=True)
    trainer_settings = TrainerSettings(
        cache_dir=worker.cache_path,
        weights_dir=worker.weights_path,
        threads=worker.thread_count,
        keep_models=worker.keep_models,
        allowed_roots=tuple(folders_of(roots)),
        url_roots=tuple(map(str, urls_of(roots))),
        storage=settings.storage,
        decoding_bytes=bytes_for(worker.memory_limit_mb * 2**20),
        log_format=settings.log.format,
    )
    agent = Agent(core, zmq.Context(), endpoint, keys, lambda: SpawnedTrainer(trainer_settings))
    agent.discard = Discarding(trainer_settings.folders())
    if traces is not None:
        agent.attempt_over = functools.partial(record_attempt, traces)
    catch_signals(agent)
    log.info("action=worker.started name=%s broker=%s pid=%d", name, endpoint, os.getpid())
    agent.run()
    if traces is not None:
        traces.close()
    log.info("action=worker.left name=%s", name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trainer_worker", description=__doc__)
    parser.add_argument("--name", default=f"{socket.gethostname()}-{os.getpid()}", help="shown as a task's thread")
    parser.add_argument("--broker", default="", metavar="tcp://HOST:PORT", help="a broker on another machine")
    arguments = parser.parse_args()
    settings = load_or_exit(os.environ)
    if not re.fullmatch(NAME_PATTERN, arguments.name):
        exit_bad_settings(f"--name {arguments.name!r}: a name is 1 to 80 letters, digits, dots, dashes or underscores.")
    if arguments.broker and not re.fullmatch(r"tcp://.+:\d+", arguments.broker):
        exit_bad_settings(f"--broker {arguments.broker!r} should look like tcp://192.0.2.1:2335.")
    try:
        start_id = take_name(settings.run_dir, arguments.name)
    except NameTakenError:
        exit_bad_settings(f"--name {arguments.name}: a worker of this name already runs here; choose another name.")
    run(settings, arguments.name, start_id, arguments.broker or settings.worker.broker)
    sys.exit(0)


if __name__ == "__main__":
    main()
