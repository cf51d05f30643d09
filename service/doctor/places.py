"""The part of the doctor that looks at folders, free space, and the rights of secret files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from conf.settings import Settings, SettingsError
from conf.socket_folder import socket_folder
from conf.tokens import TokenError, check_may_listen, read_tokens
from conf.webhook_secrets import check_may_send
from protocol.sizes import whole_mb
from service.doctor.result import Result, bad, ok, warn
from web.figures.free_space import free_space_mb

#: Below this many times [web] min_free_mb, space will soon be short.
FEW_TIMES_MIN_FREE = 5.0
OTHERS_MAY_READ = 0o077


def look(settings: Settings) -> Iterator[Result]:
    yield _folder("state folder", settings.home, settings.home.parent)
    for root in settings.web.allowed_roots():
        # `start` creates the default folder, but no other.
        default = (settings.home / "projects").resolve()
        yield _folder("data root", root, settings.home if root == default else None)
    for place in dict.fromkeys([settings.home, *settings.web.allowed_roots()]):
        if place.is_dir():
            yield _space(place, settings.web.min_free_mb)
    yield look_at_sockets(socket_folder(settings.run_dir))
    yield _tokens(settings)
    yield _webhooks(settings)


def _folder(topic: str, folder: Path, creatable_in: Path | None) -> Result:
    """Look at one folder. creatable_in: the folder in which `start` makes it if it is missing; None if it does not."""
    if not folder.exists() and creatable_in is not None:
        if os.access(creatable_in, os.W_OK | os.X_OK):
            return ok(topic, f"{folder} is made by the first start")
        return bad(topic, f"{folder} is missing, and {creatable_in} is not writable.", f"Create {folder}.")
    if not folder.is_dir():
        cure = "Create it, or correct [web] data_roots in conf/tfmodel.toml."
        return bad(topic, f"{folder} is not a folder.", cure)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return bad(
            topic,
            f"User {os.geteuid()} may not write to {folder}.",
            f"Run this as the service's user, or run 'chown -R {os.geteuid()} {folder}'.",
        )
    return ok(topic, f"{folder} is writable")


def _space(folder: Path, needed_mb: int) -> Result:
    free_mb = free_space_mb(folder)
    words = f"{whole_mb(free_mb)} are free at {folder}"
    if free_mb < needed_mb:
        return bad(
            "disk",
            f"{words}; tasks are refused below {whole_mb(needed_mb)}.",
            "Free some space, or lower [web] min_free_mb.",
        )
    if free_mb < FEW_TIMES_MIN_FREE * needed_mb:
        return warn("disk", f"{words}; tasks are refused below {whole_mb(needed_mb)}.", "Free some space soon.")
    return ok("disk", words)


def look_at_sockets(folder: Path) -> Result:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return ok("sockets", f"{folder} is made by the first start")
    except OSError as error:
        return bad("sockets", f"{folder} cannot be looked at: {error.strerror}.", "Run this as the service's user.")
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return bad(
            "sockets",
            f"{folder} is not a folder of user {os.geteuid()}.",
            f"Run this as the service's user, or remove {folder} while the service is stopped.",
        )
    if stat.S_IMODE(status.st_mode) & OTHERS_MAY_READ:
        return warn("sockets", f"Other users may enter {folder}.", f"Run 'chmod 700 {folder}'; the next start does so.")
    return ok("sockets", f"{folder} is closed to other users")


def _webhooks(settings: Settings) -> Result:
    try:
        check_may_send(settings)
    except SettingsError as error:
        return bad("webhooks", str(error), "")
    has_receivers = settings.webhooks.have_receivers
    return ok(
        "webhooks", "There is a secret to sign them" if has_receivers else "No receiver is named, so none are sent"
    )


def _tokens(settings: Settings) -> Result:
    file = settings.token_file
    try:
        tokens = read_tokens(file)
        check_may_listen(settings)
    except (TokenError, SettingsError) as error:
        return bad("tokens", str(error), "")
    if tokens is None:
        return ok("tokens", "There are no tokens, so every program on this machine may call the HTTP API")
    if stat.S_IMODE(file.stat().st_mode) & OTHERS_MAY_READ:
        return warn(
            "tokens", f"Other users may read {file}, which has the hashes of tokens.", f"Run 'chmod 600 {file}'."
        )
    return ok("tokens", f"{len(tokens)} tokens in {file}")
