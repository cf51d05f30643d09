"""Choose the supervisord.conf: the one beside the code, or one in the state folder that is derived from it.

The tracked file finds everything relative to its own folder, which works if code and state share a folder. Otherwise
`start` writes a file with the same programs that names both folders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from conf.settings import ROOT, Settings
from conf.socket_folder import open_socket_folder, socket_folder
from conf.whole_file import whole_file
from protocol.text import printable

FILE_NAME = "supervisord.conf"
SOCKET_NAME = "supervisor.sock"
#: supervisord's variable for the folder of the settings file.
HERE = "%(here)s"
#: A link to the folder of the code. supervisord would cut the folder's own path at " #" or " ;", and cannot quote it.
CODE_LINK = "run/code"
HEADER = "; Written by 'python server.py start' at each start, from the file of this name in {code}. Edit that one.\n"


class ConfigError(Exception):
    """supervisord cannot use the state folder. The message says why."""


def socket_of(home: Path) -> Path:
    """Return the socket of supervisord for the service whose state folder is `home`."""
    return socket_folder(home / "run") / SOCKET_NAME


def config_of(home: Path) -> Path:
    """Return the settings file of supervisord and supervisorctl for that service."""
    if home != ROOT:
        return home / FILE_NAME
    return ROOT / FILE_NAME if _is_near(home) else home / "run" / FILE_NAME


def write_config(settings: Settings) -> Path:
    """Create the folders that supervisord needs, and a settings file if the tracked one cannot be used.

    Returns the path of the settings file.
    """
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    # Logs contain names of users' files, so not everybody may read them. An operator may give the folder to a group.
    settings.log_dir.mkdir(exist_ok=True, mode=0o750)
    for name in ("run", "var"):
        (home / name).mkdir(exist_ok=True, mode=0o700)
    open_socket_folder(settings.run_dir)
    file = config_of(home)
    if file != ROOT / FILE_NAME:
        _link_code(home / CODE_LINK)
        with whole_file(file) as opened:
            opened.write(derived_config((ROOT / FILE_NAME).read_text(), home).encode())
    return file


def derived_config(tracked: str, home: Path) -> str:
    """Return the text of the tracked file, changed for a file at `config_of(home)`."""
    here = HERE if config_of(home).parent == home else f"{HERE}/.."
    quote = '"' if '"' not in str(home) else "'"
    if quote in str(home) or "\n" in str(home):
        raise ConfigError(
            f"The path of the state folder, {str(home)!r}, has both kinds of quotes, or a line break; choose another."
        )
    if HERE not in tracked or f"directory = {HERE}\n" not in tracked:
        raise ConfigError(f"{ROOT / FILE_NAME} lacks the line 'directory = {HERE}'; put it back into [supervisord].")
    # supervisord expands this setting twice. With %% the variable is expanded only the second time, so a % in the path
    # is left alone. supervisord also strips all quotes from the end of the value. The slash saves one in the path.
    variable = f"environment = TFMODEL_HOME={quote}%{here}/{quote}"
    directory = f"directory = {here}/{CODE_LINK}"
    text = tracked.replace(HERE, here).replace(f"directory = {here}\n", f"{directory}\n{variable}\n")
    if not _is_near(home):
        text = text.replace(f"{here}/run/{SOCKET_NAME}", str(socket_of(home)))
    return HEADER.format(code=printable(str(ROOT))) + text


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of supervisord and its programs. It makes all of them use the same settings."""
    given = {**environ, "TFMODEL_HOME": str(settings.home)}
    # These are for the one who typed `start`, and for a worker of another machine's broker. No program here needs them.
    for name in ("TFMODEL_TOKEN", "TFMODEL_KEYS", "TFMODEL_BROKER"):
        given.pop(name, None)
    if "TFMODEL_SETTINGS" in given:
        given["TFMODEL_SETTINGS"] = os.path.abspath(given["TFMODEL_SETTINGS"])  # noqa: PTH100 - links stay
    return given


def _is_near(home: Path) -> bool:
    """Whether the path of `home` is short enough for sockets in its run/."""
    return socket_of(home).parent == home / "run"


def _link_code(link: Path) -> None:
    if link.is_symlink() and link.readlink() == ROOT:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT)
