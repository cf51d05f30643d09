"""Two brokers over one database, each behind a proxy of its own, and a front-end that knows the addresses of both."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

from broker.journal import JournalError, Leader
from broker.journal_store import journal_store
from conf.curve import WORKER, ClientKeys, load_client_keys, make_keys
from conf.endpoints import connect_endpoints
from tests.breakable_proxy import BreakableProxy
from tests.postgres_server import PostgresServer
from tests.socket.programs import Programs
from tests.waiting import wait_until

#: All of 127.0.0.0/8 is this machine, so both brokers can have the same ports, as on two machines.
HOSTS = {"broker-1": "127.0.0.1", "broker-2": "127.0.0.2"}
#: As supervisord does it: a broker that has ended is started again.
LOOK_INTERVAL_S = 0.1
STANDS_BY, LEADS = "action=broker.standing_by", "action=broker.leads"


class StandbyPrograms(Programs):
    """Use as a context manager. Inside, a broker that ends by itself is started again."""

    def __init__(self, folder: Path, database: PostgresServer, **settings: object) -> None:
        keys = folder / "keys"
        make_keys(keys)
        self._url = database.new_url()
        given = {"BROKER_JOURNAL": self._url, "BROKER_ADDRESSES": ",".join(HOSTS.values()), "BROKER_CURVE_DIR": keys}
        super().__init__(folder, start=False, **given, **settings)
        self.database = database
        self.proxies = {name: BreakableProxy(database.port) for name in HOSTS}
        self._stack = contextlib.ExitStack()
        self._keeps = True
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        #: How often a broker was started again.
        self.restarts = 0
        #: How long the log of each program was when it was last started.
        self._log_chars: dict[str, int] = {}

    @property
    def worker_endpoints(self) -> list[str]:
        return [each.worker for each in connect_endpoints(self.settings)]

    @property
    def worker_keys(self) -> ClientKeys:
        return load_client_keys(self.settings.broker.curve_path, WORKER)

    def __enter__(self) -> StandbyPrograms:
        try:
            for proxy in self.proxies.values():
                self._stack.enter_context(proxy)
            self.start("broker-1")
            wait_until(lambda: self.leader() == "broker-1", "the first broker to lead")
            self.start("broker-2")
            self.start("web")
            self.wait_until_up("broker-2")
            self.wait_synced()
            self._keeper.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._keeps = False
        if self._keeper.is_alive():
            self._keeper.join()
        super().__exit__()
        self._stack.close()

    def start(self, name: str) -> None:
        log = self.folder / f"{name}.log"
        self._log_chars[name] = len(log.read_text()) if log.exists() else 0
        self._start(name, name.partition("-")[0], self._environ_of(name))

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a program, which may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(name), number)

    def leader(self) -> str:
        """The name of the broker that leads; "" if none does at this moment, or if the database is away."""
        found = self._leader()
        return next((name for name in HOSTS if found is not None and self.pid(name) == found.pid), "")

    def term(self) -> int:
        found = self._leader()
        return found.term if found is not None else 0

    def wait_until_up(self, name: str) -> None:
        """Wait until this broker, which may have been started again, stands by or leads."""

        def is_up() -> bool:
            said = self.log_of(name)[self._log_chars[name] :]
            return STANDS_BY in said or LEADS in said

        wait_until(is_up, f"{name} to stand by; its log:\n{self.log_of(name)[-3000:]}")

    def _leader(self) -> Leader | None:
        try:
            found = journal_store(self.settings.broker).leader()
        except JournalError:
            return None
        return found if found is not None and found.leads else None

    def _environ_of(self, name: str) -> dict[str, str]:
        if name not in HOSTS:
            return self.environ
        url = self._url.replace(f":{self.database.port}/", f":{self.proxies[name].port}/")
        return self.environ | {"TFMODEL_BROKER_HOST": HOSTS[name], "TFMODEL_BROKER_JOURNAL": url}

    def _keep(self) -> None:
        pause = threading.Event()
        while self._keeps:
            for name in HOSTS:
                if self._processes[name].poll() is not None and self._keeps:
                    self.restarts += 1
                    self.start(name)
            pause.wait(LOOK_INTERVAL_S)
