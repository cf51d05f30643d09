"""The folder of the Unix sockets on this machine. Only the service's own user can enter it.

A program that can enter the folder can talk to the broker and to supervisord, so the folder's mode protects both.
Normally it is `run/` in the state folder. However, the path of a Unix socket has at most 107 bytes. If the path of
`run/` is too long for that, the sockets are in a folder in /tmp. Its name is derived from the path of `run/`, so every
program finds the same one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from conf.settings import SettingsError

#: The longest path that Linux accepts for a Unix socket.
MAX_SOCKET_PATH_BYTES = 107
#: Room for the name of a socket. The longest is supervisord's, which at first ends with a process id.
MAX_SOCKET_NAME_BYTES = 24
#: TMPDIR and XDG_RUNTIME_DIR are ignored. They can differ between an operator's shell and a service manager, but all
#: programs of a service need the same folder.
SHORT_PLACE = Path("/tmp")


def socket_folder(run_dir: Path) -> Path:
    """Return the folder for the sockets of the service whose `run/` is `run_dir`. Does not access the disk."""
    if len(os.fsencode(run_dir)) + 1 + MAX_SOCKET_NAME_BYTES <= MAX_SOCKET_PATH_BYTES:
        return run_dir
    digest = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:16]
    return SHORT_PLACE / f"tfmodel-{os.geteuid()}-{digest}"


def open_socket_folder(run_dir: Path) -> Path:
    """Return `socket_folder`, created if it is missing and closed to all other users (mode 0700).

    Every program calls this before it binds or connects, because another user could have created the folder first.
    Raises SettingsError if the folder belongs to another user or cannot be created.
    """
    folder = socket_folder(run_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_NOFOLLOW: any user can create a link of that name in /tmp.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SettingsError(
            f"The folder {folder} for the service's sockets cannot be used: {error.strerror}."
        ) from error
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise SettingsError(
                f"The folder {folder} for the service's sockets belongs to user id {found.st_uid}, and this program "
                f"runs as {os.geteuid()}. Remove the folder, or start the service as its owner."
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return folder
