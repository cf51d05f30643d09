"""Where this machine's Unix sockets lie: a folder that only the service's own user can enter.

A program that can enter the folder can speak to the broker and to supervisord, so the folder's mode protects both.
Normally it is `run/` in the state folder. The path of a Unix socket has at most 107 bytes, however. If `run/` lies
deeper than that, the sockets go to a folder in /tmp. Its name follows from the path of `run/`, so every program finds
the same one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from conf.settings import SettingsError

#: The longest path that Linux takes for a Unix socket.
MAX_SOCKET_PATH_BYTES = 107
#: Room for the name of each socket. supervisord first binds its socket under a name that ends with its process id.
MAX_SOCKET_NAME_BYTES = 24
#: TMPDIR and XDG_RUNTIME_DIR are not used: they differ between an operator's shell and a service manager, and all
#: programs of one service need the same folder.
SHORT_PLACE = Path("/tmp")


def socket_folder(run_dir: Path) -> Path:
    """The folder for the sockets of the service whose run files are in `run_dir`. Does not access the disk."""
    if len(os.fsencode(run_dir)) + 1 + MAX_SOCKET_NAME_BYTES <= MAX_SOCKET_PATH_BYTES:
        return run_dir
    digest = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:16]
    return SHORT_PLACE / f"tfmodel-{os.geteuid()}-{digest}"


def open_socket_folder(run_dir: Path) -> Path:
    """Return `socket_folder`. It is created if it is missing, and closed to all other users (mode 0700).

    Every program calls this before it binds or connects, because another user could have put a folder with other
    sockets there. Raises SettingsError for such a folder, or if the folder cannot be made.
    """
    folder = socket_folder(run_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_NOFOLLOW: any user may have put a link of that name into /tmp.
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
