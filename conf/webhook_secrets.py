"""The secrets that sign webhooks, in a file of the state folder that only its owner may read (0600).

There is one secret, or two while receivers change from the old one to the new one. Webhooks then carry a signature of
each. Secrets have the form of the Standard Webhooks specification: "whsec_" and random bytes in Base64.
"""

from __future__ import annotations

import base64
import datetime
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from conf.private_file import PrivateFile
from conf.settings import Settings, SettingsError

SECRET_PREFIX = "whsec_"
RANDOM_BYTES = 32


class WebhookSecretError(Exception):
    """The secrets cannot be used, or a command does not fit their state. The message says what to do."""


class WebhookSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    secret: Annotated[str, Meta(pattern=r"^whsec_[A-Za-z0-9+/]{32,120}={0,2}\Z")]
    created_at: Annotated[str, Meta(max_length=40)]

    def key(self) -> bytes:
        """The bytes that sign."""
        return base64.b64decode(self.secret.removeprefix(SECRET_PREFIX))


Secrets = Annotated[tuple[WebhookSecret, ...], Meta(min_length=1, max_length=2)]


def read_secrets(file: Path) -> tuple[WebhookSecret, ...]:
    """The secrets, the newest first; none if there is no file. Raises WebhookSecretError."""
    content = _private(file).read()
    if content is None:
        return ()
    try:
        found = msgspec.json.decode(content, type=Secrets)
        for each in found:
            each.key()
    except (ValueError, RecursionError):
        # The error of the decoder is left out: it could repeat a secret.
        raise _private(file).damaged("it is not what 'webhook-secret' writes") from None
    return found


def create_secret(file: Path) -> str:
    """Make the first secret and return it. Raises WebhookSecretError if there is one already."""
    with _private(file).locked():
        if read_secrets(file):
            raise WebhookSecretError(
                "There is a secret already. Show it with 'python server.py webhook-secret show', or replace it with "
                "'python server.py webhook-secret rotate'."
            )
        new = _new()
        _write(file, (new,))
    return new.secret


def rotate_secret(file: Path) -> str:
    """Make a new secret, which signs beside the present one until `end_rotation`. Returns the new one."""
    with _private(file).locked():
        present = read_secrets(file)
        if len(present) != 1:
            raise WebhookSecretError(
                "A rotation is under way; end it first with 'python server.py webhook-secret end-rotation', when all "
                "receivers have the newer secret."
                if present
                else "There is no secret yet; make one with 'python server.py webhook-secret create'."
            )
        new = _new()
        _write(file, (new, *present))
    return new.secret


def end_rotation(file: Path) -> None:
    """Forget the older of two secrets. Raises WebhookSecretError if there are not two."""
    with _private(file).locked():
        present = read_secrets(file)
        if len(present) != 2:
            raise WebhookSecretError("No rotation is under way: there are not two secrets.")
        _write(file, present[:1])


def check_may_send(settings: Settings) -> None:
    """Raise SettingsError if there are receivers and no usable secret to sign them with."""
    try:
        found = read_secrets(settings.webhook_secret_file)
    except WebhookSecretError as error:
        raise SettingsError(str(error)) from error
    if settings.webhooks.have_receivers and not found:
        raise SettingsError(
            "[webhooks] names receivers, but there is no secret to sign webhooks with; make one with "
            "'python server.py webhook-secret create'."
        )


def _new() -> WebhookSecret:
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(RANDOM_BYTES)).decode()
    return WebhookSecret(secret, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))


def _write(file: Path, new: tuple[WebhookSecret, ...]) -> None:
    _private(file).write(msgspec.json.format(msgspec.json.encode(new)))


def _private(file: Path) -> PrivateFile:
    cure = "make a new secret with 'python server.py webhook-secret create'"
    return PrivateFile(file, "file of webhook secrets", cure, WebhookSecretError)
