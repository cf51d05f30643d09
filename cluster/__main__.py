"""`python -m cluster up|status|down`: keep as many workers on a Ray cluster as the waiting tasks need."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

import zmq

from cluster.broker_link import BrokerLink
from cluster.pool import pools_of
from conf.cluster_packages import INSTALL
from conf.curve import FRONT_END, local_client_keys
from conf.endpoints import connect_endpoints
from conf.logs import set_up_logging
from conf.settings import ROOT, Settings, SettingsError, exit_bad_settings, load_or_exit
from protocol.text import printable

if TYPE_CHECKING:
    from cluster.desk import Order, OwnDesk
    from cluster.reconciler import Reconciler

log = logging.getLogger("cluster")

MISSING_RAY = f"Ray is not installed. Run '{INSTALL}'."
#: How long the broker may take for an answer, and a controller that was killed to free its place.
ANSWER_TIMEOUT_S = 5.0
HANDOVER_TIMEOUT_S = 8.0
DOWN_INTERVAL_S = 0.5


def connect(settings: Settings) -> None:
    """Connect to the Ray cluster, without telling anybody else. Ends the program if that fails."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        exit_bad_settings(MISSING_RAY)
    os.chdir(ROOT)  # Ray lets actors import from the driver's folder.
    cluster = settings.cluster
    try:
        ray.init(cluster.address, namespace=cluster.namespace, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, OSError) as error:
        say(f"There is no Ray cluster at [cluster] address = {cluster.address!r}: {error}", sys.stderr)
        sys.exit(1)


def up(settings: Settings, order: Order) -> int:
    """Be the controller until SIGTERM or SIGINT; the workers then go on."""
    from ray.exceptions import RayError

    from cluster.desk import OwnDesk
    from cluster.orders import order_maker
    from cluster.ray_places import RayPlaces
    from cluster.reconciler import Reconciler

    set_up_logging("cluster", settings.log.format)
    by_name = {pool.name: pool for pool in settings.cluster.pools}
    if not by_name:
        exit_bad_settings("[cluster] pools is empty, so there is nothing to start; docs/cluster.md has an example.")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        make = order_maker(settings)
        endpoints = [each.web for each in connect_endpoints(settings)]
        link = BrokerLink(context, endpoints, local_client_keys(settings, FRONT_END), ANSWER_TIMEOUT_S)
    except SettingsError as error:
        exit_bad_settings(str(error))
    desk = OwnDesk.take(f"{socket.gethostname()} pid {os.getpid()}", HANDOVER_TIMEOUT_S)
    if desk is None:
        say("Another controller runs on this Ray cluster; 'python -m cluster status' names it.", sys.stderr)
        return 1
    reconciler = Reconciler(
        pools_of(settings.cluster), RayPlaces(), link, lambda pool, name: make(by_name[pool.name], name)
    )
    log.info("action=cluster.up pools=%s pid=%d", ",".join(by_name), os.getpid())
    try:
        serve(reconciler, desk, order, settings.cluster.interval_s)
    except RayError as error:
        # What is started again finds all workers. Ray itself may need to be started again first.
        log.critical("action=cluster.ray_failed reason=%r", str(error))
        return 1
    link.close()
    context.destroy(linger=0)
    return 0


def serve(reconciler: Reconciler, desk: OwnDesk, order: Order, interval_s: float) -> None:
    """Make rounds until SIGTERM or SIGINT, or until all workers have gone after an order to go down."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        if order != "go on":
            reconciler.wind_down(hand_back=order == "down now")
        reconciler.round(time.monotonic())
        told = desk.put(reconciler.infos)
        order = told if told != "go on" else order
        if order != "go on" and not reconciler.workers_left:
            log.info("action=cluster.down")
            return
        stop.wait(interval_s)


def status() -> int:
    """Print the pools as the controller has reported them last."""
    from cluster.desk import read_report

    found = read_report()
    if found is None:
        say("No controller runs on this Ray cluster. Start one with: python -m cluster up", sys.stderr)
        return 1
    who, pools = found
    say(f"controller: {who}")
    say(f"{'pool':<16} {'wanted':>6} {'starting':>8} {'running':>7} {'draining':>8} {'min':>5} {'max':>5}  reason")
    for pool in pools:
        counts = f"{pool.wanted:>6} {pool.starting:>8} {pool.running:>7} {pool.draining:>8}"
        say(f"{pool.name:<16} {counts} {pool.min_workers:>5} {pool.max_workers:>5}  {pool.reason}")
    return 0


def down(settings: Settings, now: bool) -> int:
    """Have all workers drained and ended, by the running controller or, if there is none, by this program."""
    from cluster.desk import order_controller, read_report

    order: Order = "down now" if now else "down"
    if not order_controller(order):
        return up(settings, order)
    say("The controller drains all workers and ends; Ctrl-C stops waiting for it.")
    while read_report() is not None:
        time.sleep(DOWN_INTERVAL_S)
    return 0


def say(text: str, to: IO[str] | None = None) -> None:
    print(printable(text), file=to)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start and end workers as tasks need them, until SIGTERM; the workers then go on")
    commands.add_parser("status", help="show the pools, and why they have as many workers as they have")
    ending = commands.add_parser("down", help="drain all workers, let them finish, and end them and the controller")
    ending.add_argument("--now", action="store_true", help="have them hand back their tasks instead of finishing them")
    arguments = parser.parse_args()
    settings = load_or_exit(os.environ)
    connect(settings)
    if arguments.command == "up":
        sys.exit(up(settings, "go on"))
    sys.exit(status() if arguments.command == "status" else down(settings, arguments.now))


if __name__ == "__main__":
    main()
