"""Look at the CURVE keys, and replace them. No function here returns a secret.

While the keys of a role change, the role's folder has the public key of the new pair and of the one before it. The
broker admits both, so programs on other machines go on until they have got the new keys.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import msgspec
import zmq.auth
from zmq.utils import z85

from conf.curve import ROLES, make_pair
from conf.private_file import give_to_owner
from conf.settings import SettingsError
from conf.whole_file import whole_file

BROKER = "broker"
PAIRS = (BROKER, *ROLES)
#: The beginning of the name of an earlier public key that is still admitted. The time of the rotation follows.
EARLIER = "until-"
FINGERPRINT_DIGITS = 16


class PublicKey(msgspec.Struct, frozen=True):
    """A public key. earlier: a newer pair has taken its place, and it is still admitted."""

    pair: str
    file: str
    fingerprint: str
    earlier: bool = False


def public_keys(curve_dir: Path) -> list[PublicKey]:
    """The public keys that lie in the folder, the broker's first. Raises SettingsError if one cannot be read."""
    found = []
    for pair in PAIRS:
        folder = _folder(curve_dir, pair)
        own = folder / f"{pair}.key"
        others = [] if pair == BROKER else sorted(set(folder.glob("*.key")) - {own})
        for file in (own, *others):
            found.append(PublicKey(pair, str(file), _fingerprint(file), file != own))
    return found


def rotate(curve_dir: Path, pair: str) -> None:
    """Make a new pair. That of a role is admitted together with the one before it, until `end_rotation`.

    At every moment the folder has a secret key whose public key is admitted, so an interruption does no harm.
    Raises SettingsError or OSError.
    """
    folder = _folder(curve_dir, pair)
    own, own_secret = folder / f"{pair}.key", folder / f"{pair}.key_secret"
    before = _fingerprint(own).replace(" ", "")
    public_file, secret_file = make_pair(pair)
    if pair != BROKER:
        until = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        _write(folder / f"{EARLIER}{until}-{before}.key", own.read_bytes(), 0o644)
        _write(own, public_file, 0o644)
        _write(own_secret, secret_file, 0o600)
    else:
        _write(own_secret, secret_file, 0o600)
        _write(own, public_file, 0o644)


def end_rotation(curve_dir: Path, role: str) -> int:
    """Stop admitting the earlier keys of a role. Returns how many there were."""
    earlier = list(_folder(curve_dir, role).glob(f"{EARLIER}*.key"))
    for file in earlier:
        file.unlink()
    return len(earlier)


def _folder(curve_dir: Path, pair: str) -> Path:
    return curve_dir if pair == BROKER else curve_dir / pair


def _write(path: Path, content: bytes, mode: int) -> None:
    with whole_file(path, mode=mode) as file:
        give_to_owner(file.fileno(), path.parent)
        file.write(content)


def _fingerprint(file: Path) -> str:
    try:
        public, _ = zmq.auth.load_certificate(file)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"[broker] curve_dir: there is no key at {file} ({error}); 'python server.py keys make' makes all keys."
        ) from error
    digits = hashlib.sha256(z85.decode(public)).hexdigest()[:FINGERPRINT_DIGITS]
    return " ".join(digits[at : at + 4] for at in range(0, FINGERPRINT_DIGITS, 4))
