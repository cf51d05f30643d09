"""The CURVE keys that protect ZeroMQ beyond one machine: made once, read by every program.

A folder holds two pairs: `broker.key(_secret)` and `client.key(_secret)`. The broker admits whoever
proves to hold a pair whose public half lies in the folder. Copy it, without broker.key_secret, to other hosts.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import zmq
import zmq.auth

from conf.settings import SettingsError


class ClientKeys(msgspec.Struct, frozen=True):
    """What a connecting socket needs (Z85 text as bytes)."""

    broker_public: bytes
    public: bytes
    secret: bytes

    def protect(self, socket: zmq.Socket[bytes]) -> None:
        """Call before `connect`."""
        socket.curve_serverkey = self.broker_public
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.secret


def make_keys(curve_dir: Path) -> None:
    """Write both pairs; FileExistsError rather than overwrite keys that are in use."""
    if (curve_dir / "broker.key").exists():
        raise FileExistsError(f"{curve_dir} holds keys already")
    curve_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("broker", "client"):
        _, secret = zmq.auth.create_certificates(curve_dir, name)
        Path(secret).chmod(0o600)  # The folder may have been there before, open to everybody.


def load_broker_keys(curve_dir: Path) -> tuple[bytes, bytes]:
    """The broker's (public, secret) pair; SettingsError if it is not there."""
    return _load(curve_dir, "broker")


def load_client_keys(curve_dir: Path | None) -> ClientKeys | None:
    """None when no folder is set; SettingsError if it lacks a key."""
    if curve_dir is None:
        return None
    try:
        broker_public, _ = zmq.auth.load_certificate(curve_dir / "broker.key")
    except (OSError, ValueError) as error:
        raise _unreadable(curve_dir, error) from error
    return ClientKeys(broker_public, *_load(curve_dir, "client"))


def _load(curve_dir: Path, name: str) -> tuple[bytes, bytes]:
    try:
        public, secret = zmq.auth.load_certificate(curve_dir / f"{name}.key_secret")
    except (OSError, ValueError) as error:
        raise _unreadable(curve_dir, error) from error
    if secret is None:
        raise _unreadable(curve_dir, f"{name}.key_secret holds no secret key")
    return public, secret


def _unreadable(curve_dir: Path, error: object) -> SettingsError:
    return SettingsError(
        f"[broker] curve_dir: cannot read the keys in {curve_dir} ({error}); "
        f"make them with 'python -m broker keys {curve_dir}'."
    )
