"""`python -m trainer_worker`: one worker, or one for each GPU of the machine, until SIGTERM."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import re
import socket
import sys
from typing import NamedTuple

import zmq

from conf.curve import WORKER, local_client_keys
from conf.data_roots import folders_of, urls_of
from conf.endpoints import connect_endpoints
from conf.logs import set_up_logging
from conf.settings import Settings, SettingsError, exit_bad_settings, load_or_exit
from conf.tracing import set_up_traces
from conf.worker_keys import VARIABLE as KEYS_VARIABLE
from conf.worker_keys import remote_keys
from conf.worker_settings import BROKERS, listed_brokers
from protocol.labels import labels_of
from trainer_worker.agent.attempt_spans import record_attempt
from trainer_worker.agent.core import AgentCore
from trainer_worker.agent.discarding import Discarding
from trainer_worker.agent.gpu_names import gpu_label
from trainer_worker.agent.gpus import ORDER, VISIBLE, visible_gpus
from trainer_worker.agent.loop import Agent, catch_signals
from trainer_worker.agent.name_lock import NameTakenError, take_name
from trainer_worker.agent.one_per_gpu import OnePerGpu, gpus_of, programs_for
from trainer_worker.agent.settings import AgentSettings
from trainer_worker.agent.spawned_trainer import SpawnedTrainer
from trainer_worker.agent.versions import own_versions
from trainer_worker.pictures.decoding_budget import bytes_for
from trainer_worker.training.registry import train_types
from trainer_worker.training.settings import TrainerSettings

log = logging.getLogger("worker")

NAME_PATTERN = r"[A-Za-z0-9._-]{1,80}"


class Launch(NamedTuple):
    """What the command line and the environment say. broker: as [worker] broker. keys: TFMODEL_KEYS, or "".

    pool: the pool of the cluster that has started the worker, or "".
    """

    name: str
    broker: str
    labels: dict[str, str]
    keys: str
    pool: str = ""


def run(settings: Settings, launch: Launch, start_id: str) -> None:
    """Work until SIGTERM or SIGINT. Ends the process if the broker refuses this worker for good."""
    name, broker = launch.name, launch.broker
    worker, roots = settings.worker, settings.worker_roots
    try:
        keys = remote_keys(settings, launch.keys) if broker else local_client_keys(settings, WORKER)
        endpoints = listed_brokers(broker) or tuple(each.worker for each in connect_endpoints(settings))
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
            labels=launch.labels,
            pool=launch.pool,
            gpu=gpu_label([gpu.name for gpu in visible_gpus(os.environ)]),
            versions=own_versions(),
        )
    )
    worker.cache_path.mkdir(parents=True, exist_ok=True)
    trainer_settings = TrainerSettings(
        cache_dir=worker.cache_path,
        weights_dir=worker.weights_path,
        backbone_dir=worker.backbone_path,
        threads=worker.thread_count,
        keep_models=worker.keep_models,
        allowed_roots=tuple(folders_of(roots)),
        url_roots=tuple(map(str, urls_of(roots))),
        storage=settings.storage,
        share_above_pictures=worker.share_above_pictures,
        decoding_bytes=bytes_for(worker.memory_limit_mb * 2**20),
        log_format=settings.log.format,
    )
    agent = Agent(core, zmq.Context(), endpoints, keys, lambda: SpawnedTrainer(trainer_settings))
    agent.discard = Discarding(trainer_settings.folders())
    if traces is not None:
        agent.attempt_over = functools.partial(record_attempt, traces)
    catch_signals(agent)
    log.info("action=worker.started name=%s broker=%s pid=%d", name, ",".join(endpoints), os.getpid())
    refused = agent.run()
    if traces is not None:
        traces.close()
    log.info("action=worker.left name=%s", name)
    if refused:
        exit_bad_settings(refused)


def main() -> None:
    arguments = _arguments()
    settings = load_or_exit(os.environ)
    try:
        labels = {**labels_of(settings.worker.labels), **labels_of(arguments.label)}
    except ValueError as error:
        exit_bad_settings(f"--label: {error}")
    set_up_logging(f"worker.{arguments.name}", settings.log.format)
    gpus = gpus_of(settings.worker, visible_gpus(os.environ))
    if len(gpus) > 1:
        words = ["--broker", arguments.broker] if arguments.broker else []
        words += [word for label in arguments.label for word in ("--label", label)]
        sys.exit(OnePerGpu(programs_for(gpus, arguments.name, words, settings.worker.thread_count)).run())
    for gpu in gpus:
        os.environ |= {**ORDER, VISIBLE: gpu.uuid}
    # The trainer processes inherit the environment, and read pictures of strangers. They need no keys.
    keys = os.environ.pop(KEYS_VARIABLE, "")
    launch = Launch(arguments.name, arguments.broker or settings.worker.broker, labels, keys, arguments.pool)
    if keys and not launch.broker:
        exit_bad_settings(f"{KEYS_VARIABLE} is for a broker on another machine; TFMODEL_BROKER must say where it is.")
    try:
        start_id = take_name(settings.run_dir, launch.name)
    except NameTakenError:
        exit_bad_settings(f"--name {launch.name}: a worker of this name already runs here; choose another name.")
    run(settings, launch, start_id)
    sys.exit(0)


def _arguments() -> argparse.Namespace:
    """The command line. Ends the process if a name or an address is not allowed."""
    parser = argparse.ArgumentParser(prog="python -m trainer_worker", description=__doc__)
    parser.add_argument(
        "--name", default=f"{socket.gethostname()}-{os.getpid()}", help="the worker's name; by default host and process"
    )
    parser.add_argument(
        "--broker", default="", metavar="tcp://HOST:PORT,…", help="where the brokers are; by default as in the settings"
    )
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="what tasks may ask for by needs"
    )
    parser.add_argument("--pool", default="", help="the cluster's pool that has started it")
    arguments = parser.parse_args()
    if not re.fullmatch(NAME_PATTERN, arguments.name):
        exit_bad_settings(f"--name {arguments.name!r}: a name is 1 to 80 letters, digits, dots, dashes or underscores.")
    if not re.fullmatch(f"({NAME_PATTERN})?", arguments.pool):
        exit_bad_settings(
            f"--pool {arguments.pool!r}: a pool is named by letters, digits, dots, dashes or underscores."
        )
    if arguments.broker and not re.search(BROKERS, arguments.broker):
        exit_bad_settings(
            f"--broker {arguments.broker!r} should look like tcp://192.0.2.1:2335, or like two such addresses with a "
            "comma between them."
        )
    return arguments


if __name__ == "__main__":
    main()
