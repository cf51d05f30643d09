"""Where this machine's Unix sockets lie: a folder that only the service's own user can enter.

Whoever may enter the folder may speak to the broker and to supervisord, so its rights are the door. Normally it is
`run/` in the state folder. A Unix socket's path has at most 107 bytes, though; where `run/` lies deeper than that, the
sockets go to a folder in /tmp whose name follows from the path of `run/`, so that every program finds the same one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from conf.settings import SettingsError

#: The longest path that Linux takes for a Unix socket.
MAX_SOCKET_PATH_BYTES = 107
#: Room for the name of any of our sockets. supervisord binds its own under a name with its process id behind it.
MAX_SOCKET_NAME_BYTES = 24
#: Neither TMPDIR nor XDG_RUNTIME_DIR: they differ between an operator's shell and a service manager, and the programs
#: of one service have to meet at the same place.
SHORT_PLACE = Path("/tmp")


def socket_folder(run_dir: Path) -> Path:
    """The folder for the sockets of the service that keeps its run files in `run_dir`. Looks at nothing on disk."""
    if len(os.fsencode(run_dir)) + 1 + MAX_SOCKET_NAME_BYTES <= MAX_SOCKET_PATH_BYTES:
        return run_dir
    digest = hashlib.sha256(os.fsencode(run_dir)).hexdigest()[:16]
    return SHORT_PLACE / f"tfmodel-{os.geteuid()}-{digest}"


def open_socket_folder(run_dir: Path) -> Path:
    """`socket_folder`, made where it is missing and closed to everybody else (mode 0700).

    Every program calls this before it binds or connects: a folder that somebody else has put there could hold
    somebody else's sockets. Raises SettingsError for such a folder, or when it cannot be made.
    """
    folder = socket_folder(run_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_NOFOLLOW: in /tmp anybody may have put a link of that name.
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
