"""`python server.py webhook-secret create | rotate | end-rotation | show`. Each function returns the exit code."""

from __future__ import annotations

import os

from conf.settings import SettingsError, load
from conf.webhook_secrets import WebhookSecretError, create_secret, read_secrets, rotate_secret
from conf.webhook_secrets import end_rotation as forget_older
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen

ERRORS = (SettingsError, WebhookSecretError)


def create(*, screen: Screen = TEXT_SCREEN) -> int:
    """Make the first secret that webhooks are signed with."""
    try:
        secret = create_secret(load(os.environ).webhook_secret_file)
    except ERRORS as error:
        return _failed(error, screen)
    _show_new(secret, screen)
    screen.complain("Give it to the receivers, which check the signatures of webhooks with it (docs/webhooks.md).")
    return ExitCode.OK


def rotate(*, screen: Screen = TEXT_SCREEN) -> int:
    """Make a second secret. From now on, webhooks carry a signature of each."""
    try:
        secret = rotate_secret(load(os.environ).webhook_secret_file)
    except ERRORS as error:
        return _failed(error, screen)
    _show_new(secret, screen)
    screen.complain(
        "Webhooks are now signed with both secrets. When all receivers have the new one, run "
        "'python server.py webhook-secret end-rotation'."
    )
    return ExitCode.OK


def end_rotation(*, screen: Screen = TEXT_SCREEN) -> int:
    """Forget the older of two secrets."""
    try:
        forget_older(load(os.environ).webhook_secret_file)
    except ERRORS as error:
        return _failed(error, screen)
    said = "The older secret is forgotten. Webhooks are signed with the newer one alone."
    screen.say(said)
    screen.document({"message": said})
    return ExitCode.OK


def show(*, screen: Screen = TEXT_SCREEN) -> int:
    """Print the secrets, the newest first."""
    try:
        found = read_secrets(load(os.environ).webhook_secret_file)
    except ERRORS as error:
        return _failed(error, screen)
    if not found:
        screen.fail("There is no secret yet; make one with 'python server.py webhook-secret create'.")
        return ExitCode.FAILED
    for each in found:
        screen.say(each.secret)
        screen.complain(f"made {each.created_at}")
    screen.document({"secrets": [{"secret": each.secret, "createdAt": each.created_at} for each in found]})
    return ExitCode.OK


def _show_new(secret: str, screen: Screen) -> None:
    # A script reads the secret from stdout, so nothing else is printed there.
    screen.say(secret)
    screen.document({"secret": secret})


def _failed(error: Exception, screen: Screen) -> int:
    screen.fail(str(error))
    return ExitCode.FAILED
