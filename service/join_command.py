"""`python server.py join-command`: what to run on another machine, so that a worker there joins this service."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import NamedTuple

from conf.cluster_packages import INSTALL
from conf.curve import WORKER, local_client_keys
from conf.data_roots import urls_of
from conf.endpoints import EVERY_ADDRESS, tcp_address
from conf.settings import Settings, SettingsError, load
from conf.storage_settings import shared_variables
from conf.worker_keys import VARIABLE, keys_as_text
from protocol.version import TENSORFLOW_SERIES, VERSION
from service.command_error import CommandError
from service.reachable_address import is_loopback, own_addresses
from service.screen import TEXT_SCREEN, Screen

START = "python -m trainer_worker"


class Join(NamedTuple):
    """variables: what the worker needs to know, by name. warnings: what may keep it from working."""

    variables: dict[str, str]
    data_roots: list[str]
    warnings: list[str]


def join_command(*, address: str = "", file: Path | None = None, screen: Screen = TEXT_SCREEN) -> None:
    """Print the command that starts a worker on another machine.

    The line holds the secret of the worker role: whoever has it can work for this service.

    Parameters
    ----------
    address
        the name or address of this machine that the other one can reach; by default it is found out
    file
        write the settings of the worker to this new file, which only its owner can read, and print no secret
    """
    try:
        settings = load(os.environ)
        join = _join(settings, address)
    except SettingsError as error:
        raise CommandError(str(error)) from error
    for warning in join.warnings:
        screen.complain(f"Warning: {warning}")
    lines = [f"{name}={shlex.quote(value)}" for name, value in join.variables.items()]
    if file is None:
        command = " ".join([*lines, START])
        # A script reads the command from stdout, so nothing else is printed there.
        screen.say(command)
        screen.complain("This line holds a secret, and a shell may keep it in its history; --file writes it to a file.")
    else:
        _write(file, lines)
        command = f"set -a; . ./{shlex.quote(file.name)}; set +a; {START}"
        screen.say(command)
        screen.complain(f"Copy {file} to the other machine first; it holds a secret, and only its owner can read it.")
    screen.complain(_conditions(settings))
    screen.document(
        {
            "command": command,
            "broker": join.variables["TFMODEL_BROKER"],
            "dataRoots": join.data_roots,
            "file": str(file) if file else None,
            "warnings": join.warnings,
        }
    )


def _join(settings: Settings, address: str) -> Join:
    """Makes the keys if there are none yet. Raises SettingsError."""
    broker = settings.broker
    keys = local_client_keys(settings, WORKER)
    if keys is None:
        raise SettingsError(
            "The broker listens at Unix sockets, which no other machine can reach. Set [broker] host in "
            "conf/tfmodel.toml (TFMODEL_BROKER_HOST) to an address of this machine, such as "
            f"{next(iter(own_addresses()), '192.0.2.7')}, or to 0.0.0.0 for all of them, restart, and run this again."
        )
    hosts, warnings = _reachable(settings, address)
    roots = [str(root) for root in settings.web.roots()]
    if odd := [root for root in roots if "," in root]:
        warnings.append(f"a comma in {odd[0]} cannot be told from the next folder; set [worker] data_roots there.")
    variables = {
        "TFMODEL_BROKER": ",".join(tcp_address(host, broker.worker_port) for host in hosts),
        VARIABLE: keys_as_text(keys),
        "TFMODEL_WORKER_DATA_ROOTS": ",".join(roots),
        **(shared_variables(settings.storage) if urls_of(settings.web.roots()) else {}),
    }
    return Join(variables, roots, warnings)


def _reachable(settings: Settings, address: str) -> tuple[list[str], list[str]]:
    """The hosts at which the other machine finds the broker, or all brokers, and what to warn of."""
    broker = settings.broker
    hosts = [address] if address else broker.addresses or [broker.host]
    warnings = []
    if hosts[0] in EVERY_ADDRESS:
        hosts = own_addresses()
        if not hosts:
            raise SettingsError("This machine has no address that others can reach; name one with --address.")
        if hosts[1:]:
            warnings.append(
                f"this machine has several addresses ({', '.join(hosts)}); if the other machine does not reach "
                f"{hosts[0]}, name another one with --address."
            )
        hosts = hosts[:1]
    for host in filter(is_loopback, hosts):
        warnings.append(
            f"{host} is reached from this machine only, unless a tunnel leads to it; set [broker] host to an address "
            "that the other machine can reach."
        )
    return hosts, warnings


def _conditions(settings: Settings) -> str:
    """What else must be right on the other machine."""
    ports = f"{settings.broker.worker_port} and {settings.broker.collect_port}"
    folders, urls = settings.web.allowed_roots(), urls_of(settings.web.roots())
    same = f", and needs the same project folders at {', '.join(map(str, folders))}" if folders else ""
    storage = (
        f" For {', '.join(map(str, urls))} it needs '{INSTALL}' and credentials in its environment, as "
        "docs/object-storage.md says."
    )
    return (
        f"Run it in the folder of TFModel {VERSION} with TensorFlow {TENSORFLOW_SERIES} (pip install -r "
        f"requirements.txt). The other machine must reach the ports {ports} of this one{same}.{storage if urls else ''}"
        " docs/operations.md, 'Workers on other machines', has all steps."
    )


def _write(file: Path, lines: list[str]) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise CommandError(f"{file} exists already; name a new file.") from error
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror}).") from error
    with open(descriptor, "w") as opened:
        opened.write("\n".join([*lines, ""]))
