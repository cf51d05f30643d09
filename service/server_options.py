"""The options that name the server and the token of a command; and its errors as sentences for people."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from conf.settings import SettingsError, load
from service.command_error import CommandError
from service.exit_codes import ExitCode
from service.own_front_end import address_of
from tfmodel_client import Client, TFModelError
from tfmodel_client.errors import NotAuthenticatedError, UnreachableError

#: How long a server may take to accept a connection.
CONNECT_TIMEOUT_S = 5.0
MAX_TOKEN_FILE_BYTES = 4096


@Parameter(name="*")
@dataclass(frozen=True)
class ServerOptions:
    """The options --server, --token and --token-file."""

    server: Annotated[
        str,
        Parameter(
            env_var="TFMODEL_SERVER",
            help="address of the server, such as http://127.0.0.1:2333; without it, the one that the settings describe",
        ),
    ] = ""
    token: Annotated[
        str,
        Parameter(
            env_var="TFMODEL_TOKEN",
            help="token for the HTTP API. Other users of this machine can see it in the list of processes, so "
            "prefer the variable or --token-file",
        ),
    ] = field(default="", repr=False)
    token_file: Annotated[Path | None, Parameter(help="a file that holds the token and nothing else")] = None

    def address(self) -> str:
        """The address of the server, such as http://127.0.0.1:2333. Raises CommandError if the settings are bad."""
        if self.server:
            return self.server
        try:
            return address_of(load(os.environ).web)
        except SettingsError as error:
            raise CommandError(str(error)) from error

    def secret(self) -> str:
        """The token, or "". Raises CommandError if its file cannot be read."""
        if self.token_file is None:
            return self.token
        try:
            with self.token_file.open("rb") as file:
                return file.read(MAX_TOKEN_FILE_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--token-file {self.token_file} cannot be read: {error}.") from error


#: The options of a command that was called without them.
OWN_SERVER = ServerOptions()


@contextmanager
def connected(options: ServerOptions) -> Iterator[Client]:
    """A client of the server. Errors of its calls become CommandErrors, which say what to do."""
    address = options.address()
    _check_that_something_listens(address)
    try:
        client = Client(address, options.secret())
    except ValueError as error:
        raise CommandError(str(error), ExitCode.BAD_COMMAND_LINE) from error
    with client:
        try:
            yield client
        except TFModelError as error:
            raise command_error(error, address) from error


def command_error(error: TFModelError, address: str) -> CommandError:
    """The error of a command for an error of the client, with what the person who typed the command can do."""
    if isinstance(error, UnreachableError):
        return _not_running(address)
    if isinstance(error, NotAuthenticatedError):
        return CommandError(
            f"{error.error} Make a token with 'python server.py token create NAME' and set TFMODEL_TOKEN to it, or "
            "name its file with --token-file.",
            ExitCode.REFUSED,
            error.code,
        )
    if error.status == 404 and error.code == "unknown_path":
        return CommandError(f"The server at {address} does not know this call; it is of another version.")
    refused = 400 <= error.status < 500
    return CommandError(error.error, ExitCode.REFUSED if refused else ExitCode.FAILED, error.code, error.fields)


def _check_that_something_listens(address: str) -> None:
    """The client would try again for some seconds, in case the server is being restarted."""
    try:
        parts = urlsplit(address)
        place = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    except ValueError as error:
        raise CommandError(f"--server {address} is not an address: {error}.", ExitCode.BAD_COMMAND_LINE) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(
            f"--server {address} is not an address; write one such as http://127.0.0.1:2333.",
            ExitCode.BAD_COMMAND_LINE,
        )
    try:
        socket.create_connection(place, CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _not_running(address) from error


def _not_running(address: str) -> CommandError:
    return CommandError(
        f"No server answers at {address}. Start it with 'python server.py start', or name another one with --server.",
        ExitCode.NOT_RUNNING,
        "not_running",
    )
