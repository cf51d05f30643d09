"""`python server.py webhook-secret create | rotate | end-rotation | show`. Each function returns the exit code."""

from __future__ import annotations

from collections.abc import Mapping

from conf.settings import SettingsError, load
from conf.webhook_secrets import WebhookSecretError, create_secret, end_rotation, read_secrets, rotate_secret
from service.commands import complain, say


def create(environ: Mapping[str, str]) -> int:
    """Make the first secret and print only it to stdout, so that a script can read it."""
    try:
        say(create_secret(load(environ).webhook_secret_file))
    except (SettingsError, WebhookSecretError) as error:
        return _failed(error)
    complain("Give it to the receivers, which check the signatures of webhooks with it (docs/webhooks.md).")
    return 0


def rotate(environ: Mapping[str, str]) -> int:
    """Make a second secret and print only it. From now on, webhooks carry a signature of each."""
    try:
        say(rotate_secret(load(environ).webhook_secret_file))
    except (SettingsError, WebhookSecretError) as error:
        return _failed(error)
    complain(
        "Webhooks are now signed with both secrets. When all receivers have the new one, run "
        "'python server.py webhook-secret end-rotation'."
    )
    return 0


def finish_rotation(environ: Mapping[str, str]) -> int:
    """Forget the older of two secrets."""
    try:
        end_rotation(load(environ).webhook_secret_file)
    except (SettingsError, WebhookSecretError) as error:
        return _failed(error)
    say("The older secret is forgotten. Webhooks are signed with the newer one alone.")
    return 0


def show(environ: Mapping[str, str]) -> int:
    """Print the secrets, the newest first."""
    try:
        found = read_secrets(load(environ).webhook_secret_file)
    except (SettingsError, WebhookSecretError) as error:
        return _failed(error)
    if not found:
        complain("There is no secret yet; make one with 'python server.py webhook-secret create'.")
        return 1
    for each in found:
        say(each.secret)
        complain(f"made {each.created_at}")
    return 0


def _failed(error: Exception) -> int:
    complain(str(error))
    return 1
