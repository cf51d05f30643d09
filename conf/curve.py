"""The CURVE keys that every program needs to talk to the broker over TCP. They are generated once.

A key folder holds the broker's pair and one pair for each role, in a folder of the role's own:

    broker.key  broker.key_secret
    front_end/front_end.key  front_end/front_end.key_secret
    worker/worker.key        worker/worker.key_secret

Each of the broker's sockets belongs to a role. The broker admits a peer if it has the secret key of a pair whose public
key lies in the folder of that role. So the keys of a worker do not open the sockets of front-ends, or vice versa.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import zmq
import zmq.auth

from conf.folder_sync import make_folders, sync_folder, sync_tree
from conf.settings import Settings, SettingsError

FRONT_END, WORKER = "front_end", "worker"
ROLES = (FRONT_END, WORKER)


class ClientKeys(msgspec.Struct, frozen=True):
    """The keys that a connecting socket needs. Each is Z85 text, as bytes."""

    broker_public: bytes
    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret, because a log or the trace of an exception may show it."""
        return f"ClientKeys(public={self.public!r})"

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Give the keys to a socket. Call it before `connect`."""
        socket.curve_serverkey = self.broker_public
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret


def make_keys(curve_dir: Path) -> None:
    """Write all pairs. Raises FileExistsError if there are keys already, because they may be in use.

    Several programs may do this at the same time. Each fills a folder of its own and then renames it to `curve_dir`.
    Only the first one succeeds, so all programs use the same keys.
    """
    if (curve_dir / "broker.key").exists():
        raise FileExistsError(f"{curve_dir} holds keys already")
    make_folders(curve_dir.parent, 0o700)
    filled = Path(tempfile.mkdtemp(prefix=f".{curve_dir.name}-", dir=curve_dir.parent))  # mode 0700
    try:
        _write_pair(filled, "broker")
        for role in ROLES:
            (filled / role).mkdir(mode=0o700)
            _write_pair(filled / role, role)
        _give_to_owner(filled, curve_dir.parent)
        # A power cut must not leave the folder with empty files: nobody would make new keys then.
        sync_tree(filled)
        try:
            filled.rename(curve_dir)
        except OSError as error:
            raise FileExistsError(f"{curve_dir} is not empty; it holds keys already, or other files") from error
    finally:
        shutil.rmtree(filled, ignore_errors=True)
    sync_folder(curve_dir.parent)


def broker_keys(settings: Settings) -> tuple[bytes, bytes]:
    """Return the broker's pair (public, secret), generated at the first start. Raises SettingsError if that fails."""
    _make_missing_keys(settings)
    return _load(settings.broker.curve_path, "broker")


def local_client_keys(settings: Settings, role: str) -> ClientKeys | None:
    """Return the keys of a program that finds the broker in [broker]. None for Unix sockets, which need none."""
    if not (settings.broker.host or settings.broker.addresses):
        return None
    _make_missing_keys(settings)
    return load_client_keys(settings.broker.curve_path, role)


def load_client_keys(curve_dir: Path, role: str) -> ClientKeys:
    """Read the keys of a role. Raises SettingsError if the broker's public key or the role's pair is missing."""
    try:
        broker_public, _ = zmq.auth.load_certificate(curve_dir / "broker.key")
    except (OSError, ValueError) as error:
        raise _unreadable(curve_dir, error) from error
    return ClientKeys(broker_public, *_load(curve_dir / role, role))


def _make_missing_keys(settings: Settings) -> None:
    """Make the keys at the first start. With [broker] addresses only a person does, because all brokers share them."""
    curve_dir = settings.broker.curve_path
    if settings.broker.addresses or (curve_dir / "broker.key").exists():
        return
    try:
        make_keys(curve_dir)
    except FileExistsError:
        return  # Another program was faster, or other files are there. Reading the keys will show which.
    except OSError as error:
        raise SettingsError(f"[broker] curve_dir: no keys can be made in {curve_dir}: {error}.") from error


def make_pair(name: str) -> tuple[bytes, bytes]:
    """Generate a pair. Returns the content of its file with the public key, and of its file with both."""
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        public, secret = zmq.auth.create_certificates(folder, name)
        return Path(public).read_bytes(), Path(secret).read_bytes()


def _write_pair(folder: Path, name: str) -> None:
    public, secret = make_pair(name)
    (folder / f"{name}.key").write_bytes(public)
    secret_file = folder / f"{name}.key_secret"
    secret_file.touch(mode=0o600)
    secret_file.write_bytes(secret)


def _give_to_owner(made: Path, parent: Path) -> None:
    """Give new keys to the owner of their folder: the service must be able to read what root has made."""
    if os.geteuid() == 0:
        owner = parent.stat()
        for path in (made, *made.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)


def _load(folder: Path, name: str) -> tuple[bytes, bytes]:
    path = folder / f"{name}.key_secret"
    try:
        if path.stat().st_mode & 0o077:
            raise _unreadable(folder, f"others may read {path.name}; 'chmod 600' it, or make new keys")
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from error
    if secret is None:
        raise _unreadable(folder, f"{name}.key_secret holds no secret key")
    return public, secret


def _unreadable(folder: Path, error: object) -> SettingsError:
    return SettingsError(
        f"[broker] curve_dir: cannot read the keys in {folder} ({error}). The broker's machine makes all keys at its "
        "first start over TCP, or by 'python server.py keys make'. A worker on another machine gets its keys by what "
        "'python server.py join-command' prints on the broker's machine. With "
        "[broker] addresses, run 'python server.py keys make' once and copy the folder: all brokers use the same keys, "
        "and a front-end needs broker.key and the folder front_end/."
    )
