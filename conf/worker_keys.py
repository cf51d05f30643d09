"""The keys of a worker on another machine, as one line of text for the variable TFMODEL_KEYS.

The text begins with PREFIX, which has the version of this form. The rest is base64 for URLs: the broker's public key,
the secret key of the worker role, from which its public key follows, and a checksum.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import zmq
from zmq.utils import z85

from conf.curve import WORKER, ClientKeys, load_client_keys
from conf.settings import Settings, SettingsError

VARIABLE = "TFMODEL_KEYS"
PREFIX = "tfk1_"
#: The length of a CURVE key, and of the checksum, in bytes.
KEY_BYTES, CHECKSUM_BYTES = 32, 5
CURE = "Copy the whole text that 'python server.py join-command' prints on the broker's machine"


def keys_as_text(keys: ClientKeys) -> str:
    """The text of a worker's keys. Whoever has it can work for the broker."""
    content = z85.decode(keys.broker_public) + z85.decode(keys.secret)
    return PREFIX + base64.urlsafe_b64encode(content + _checksum(content)).decode()


def keys_of_text(text: str) -> ClientKeys:
    """The keys in the text. Raises SettingsError, whose message does not repeat the text."""
    text = text.strip()
    if not text.startswith(PREFIX):
        came = f"begins otherwise ({len(text)} characters)" if text else "is empty"
        raise SettingsError(f"{VARIABLE} must begin with {PREFIX}, but it {came}. {CURE}.")
    try:
        content = base64.b64decode(text.removeprefix(PREFIX).encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError, UnicodeEncodeError):
        content = b""
    wanted = 2 * KEY_BYTES + CHECKSUM_BYTES
    content, checksum = content[:-CHECKSUM_BYTES], content[-CHECKSUM_BYTES:]
    if len(content) + len(checksum) != wanted or checksum != _checksum(content):
        raise SettingsError(
            f"{VARIABLE} is cut off or has a wrong character: its {len(text)} characters do not fit their checksum. "
            f"{CURE}."
        )
    secret = z85.encode(content[KEY_BYTES:])
    return ClientKeys(z85.encode(content[:KEY_BYTES]), zmq.curve_public(secret), secret)


def remote_keys(settings: Settings, text: str) -> ClientKeys:
    """The keys of a worker whose broker is on another machine: those of the text, or of [broker] curve_dir without one.

    Nothing is made, because a broker does not admit keys that were made elsewhere. Raises SettingsError.
    """
    return keys_of_text(text) if text else load_client_keys(settings.broker.curve_path, WORKER)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(PREFIX.encode() + content).digest()[:CHECKSUM_BYTES]
