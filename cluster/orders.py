"""What a worker of a pool is started with: its arguments, its variables, and the keys for the broker."""

from __future__ import annotations

from collections.abc import Callable

from cluster.agent_actor import AgentOrder
from conf.cluster_settings import LEAST_MEMORY_MB, PoolSettings
from conf.curve import WORKER, load_client_keys
from conf.endpoints import EVERY_ADDRESS, IPC, connect_endpoints
from conf.settings import Settings, SettingsError
from conf.storage_settings import shared_variables
from conf.worker_keys import keys_as_text


def order_maker(settings: Settings) -> Callable[[PoolSettings, str], AgentOrder]:
    """Return a function that makes the order for a worker of a pool, by its name.

    The workers get this machine's settings where they have to agree with it. Raises SettingsError.
    """
    brokers, keys = _brokers(settings)
    arguments = (*settings.cluster.worker_command, *(("--broker", brokers) if brokers else ()))
    shared = {
        "TFMODEL_WORKER_DATA_ROOTS": ",".join(map(str, settings.worker_roots)),
        **shared_variables(settings.storage),
        "TFMODEL_LOG_FORMAT": settings.log.format,
        # Ray has chosen the worker's GPUs, so the worker does not divide them up again.
        "TFMODEL_WORKER_DEVICES": "all",
    }
    if not brokers:
        # The Unix sockets of the broker lie in the state folder, so these workers run on this machine only.
        shared["TFMODEL_HOME"] = str(settings.home)

    def make(pool: PoolSettings, name: str) -> AgentOrder:
        own = {"TFMODEL_WORKER_THREADS": str(max(1, int(pool.num_cpus)))}
        if pool.memory_mb >= LEAST_MEMORY_MB:
            own["TFMODEL_WORKER_MEMORY_LIMIT_MB"] = str(pool.memory_mb)
        labels = [word for label, value in sorted(pool.labels.items()) for word in ("--label", f"{label}={value}")]
        words = (*arguments, "--name", name, "--pool", pool.name, *labels)
        return AgentOrder(name, words, {**shared, **own, **pool.environment}, keys)

    return make


def _brokers(settings: Settings) -> tuple[str, str]:
    """The addresses for --broker, and the text for TFMODEL_KEYS. Both are "" if the broker uses Unix sockets.

    Without the keys of workers on this machine the text is "" too. Then each node must have TFMODEL_KEYS itself.
    Raises SettingsError.
    """
    given = settings.worker.broker
    if not given and not settings.broker.addresses and settings.broker.host in EVERY_ADDRESS:
        raise SettingsError(
            f"[broker] host = {settings.broker.host!r} does not tell workers on other nodes where the broker is; set "
            f"TFMODEL_BROKER to tcp://ADDRESS:{settings.broker.worker_port}, with an address of this machine that they "
            "can reach."
        )
    endpoints = [each.worker for each in connect_endpoints(settings)]
    if not given and endpoints[0].startswith(IPC):
        return "", ""
    if not (settings.broker.curve_path / WORKER).is_dir():
        return given or ",".join(endpoints), ""
    return given or ",".join(endpoints), keys_as_text(load_client_keys(settings.broker.curve_path, WORKER))
