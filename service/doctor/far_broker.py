"""The part of the doctor that looks at keys, and at the broker of another machine that a worker here works for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

from conf.broker_probe import ask_broker
from conf.curve import ROLES, load_client_keys
from conf.settings import Settings, SettingsError
from conf.worker_keys import VARIABLE, remote_keys
from conf.worker_settings import listed_brokers
from protocol.messages import HelloWanted, Rejected
from service.doctor.clock import CURE as SET_CLOCK
from service.doctor.clock import MOST_SKEW_S
from service.doctor.result import Result, bad, ok, warn

#: The usual reason: the variables were set for the worker alone.
TELL = "Run this with the same TFMODEL_BROKER and TFMODEL_KEYS as the worker."


def look(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterator[Result]:
    brokers = listed_brokers(settings.worker.broker)
    if not brokers:
        yield from _own_keys(settings)
        return
    for root in settings.worker_folders:
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            yield bad(
                "project folders",
                f"User {os.geteuid()} cannot read and write {root}, which the worker of {brokers[0]} needs.",
                "Mount the folder of the broker's machine at this path, or correct TFMODEL_WORKER_DATA_ROOTS.",
            )
    try:
        keys = remote_keys(settings, environ.get(VARIABLE, ""))
    except SettingsError as error:
        yield bad("broker", str(error), TELL)
        return
    for address in brokers:
        yield from _broker(address, ask_broker(address, keys), others=len(brokers) > 1)


def _own_keys(settings: Settings) -> Iterator[Result]:
    """The keys of the broker's own machine, if it uses any."""
    broker, folder = settings.broker, settings.broker.curve_path
    if not (broker.host or broker.addresses):
        return
    if not (folder / "broker.key").exists() and not broker.addresses:
        yield ok("keys", f"They are made by the first start, in {folder}")
        return
    try:
        for role in ROLES:
            load_client_keys(folder, role)
    except SettingsError as error:
        yield bad("keys", str(error), "")
    else:
        yield ok("keys", f"{folder} has them; 'python server.py join-command' gives them to a worker elsewhere")


def _broker(address: str, answer: object, others: bool) -> Iterator[Result]:
    match answer:
        case Rejected():
            yield bad("broker", f"The broker at {address} refuses workers of this release: {answer.error}", "")
        case HelloWanted():
            yield ok("broker", f"The broker at {address} answers, and takes the keys")
            skew_s = time.time() - answer.at_s
            if answer.at_s and abs(skew_s) > MOST_SKEW_S:
                where = "ahead of" if skew_s > 0 else "behind"
                yield warn("clock", f"This clock is {abs(skew_s):,.0f} s {where} that of {address}.", SET_CLOCK)
        case _ if others:
            yield warn("broker", f"{address} cannot be used now: {answer}", "A broker that stands by does not answer.")
        case _:
            yield bad("broker", f"{address} cannot be used: {answer}", TELL)
