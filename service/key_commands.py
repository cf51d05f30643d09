"""`python server.py keys show | make | rotate | end-rotation`. No secret is ever printed here."""

from __future__ import annotations

import os
from typing import Literal

from conf.curve import make_keys
from conf.key_rotation import BROKER, end_rotation, public_keys, rotate
from conf.settings import Settings, SettingsError, load
from service.command_error import CommandError
from service.screen import TEXT_SCREEN, Screen

Pair = Literal["worker", "front_end", "broker"]
Role = Literal["worker", "front_end"]
#: What `show` says of each pair.
USES = {
    "broker": "the broker's own key, which all programs compare",
    "front_end": "admitted at the sockets for front-ends",
    "worker": "admitted at the sockets for workers",
}
RESTART = "The broker reads keys when it starts: run 'python server.py restart'."
JOIN_AGAIN = "Give workers on other machines their new keys with 'python server.py join-command'"


def show(*, screen: Screen = TEXT_SCREEN) -> None:
    """Show where the keys are, and their fingerprints. Secrets are not shown."""
    settings = _settings()
    folder = settings.broker.curve_path
    if not (folder / "broker.key").exists():
        screen.document({"folder": str(folder), "keys": []})
        screen.say(f"There are no keys in {folder} yet.")
        screen.say(_needed(settings))
        return
    try:
        keys = public_keys(folder)
    except SettingsError as error:
        raise CommandError(str(error)) from error
    screen.document({"folder": str(folder), "keys": keys})
    screen.say(f"The keys are in {folder}. {_needed(settings)}")
    rows = [
        (key.pair, key.fingerprint, "an earlier key, still admitted" if key.earlier else USES[key.pair]) for key in keys
    ]
    screen.table(("pair", "fingerprint", "what it is"), rows)


def make(*, screen: Screen = TEXT_SCREEN) -> None:
    """Make all keys, if there are none yet.

    The first start with [broker] host makes them as well.
    """
    folder = _settings().broker.curve_path
    try:
        make_keys(folder)
    except FileExistsError as error:
        raise CommandError(f"No keys were made: {error}. 'python server.py keys rotate' replaces a pair.") from error
    except OSError as error:
        raise CommandError(f"No keys were made: {error}.") from error
    screen.document({"folder": str(folder), "keys": public_keys(folder)})
    screen.say(f"All keys are made, in {folder}.")


def rotate_pair(pair: Pair = "worker", /, *, screen: Screen = TEXT_SCREEN) -> None:
    """Replace a pair of keys.

    Programs with the earlier key of a role are admitted until 'keys end-rotation'. The broker's own pair has no such
    time: all programs need the new one at once.

    Parameters
    ----------
    pair
        worker (the default), front_end or broker
    """
    folder = _settings().broker.curve_path
    try:
        rotate(folder, pair)
    except (SettingsError, OSError) as error:
        raise CommandError(f"The pair {pair} was not replaced: {error}") from error
    screen.document({"folder": str(folder), "keys": public_keys(folder)})
    screen.say(f"The pair {pair} is new. {RESTART}")
    if pair == BROKER:
        screen.say(f"{JOIN_AGAIN}; until then they cannot reach the broker.")
    else:
        then = f" {JOIN_AGAIN}." if pair == "worker" else ""
        screen.say(f"The earlier key is still admitted.{then} Then run 'python server.py keys end-rotation {pair}'.")


def end_rotation_of(role: Role = "worker", /, *, screen: Screen = TEXT_SCREEN) -> None:
    """Stop admitting the earlier keys of a role.

    Parameters
    ----------
    role
        worker or front_end
    """
    folder = _settings().broker.curve_path
    try:
        removed = end_rotation(folder, role)
    except OSError as error:
        raise CommandError(f"The earlier keys are still there: {error}.") from error
    screen.document({"role": role, "removed": removed})
    screen.say(
        f"{removed} earlier keys of the role {role} are removed. {RESTART}"
        if removed
        else f"The role {role} has no earlier keys in {folder}."
    )


def _needed(settings: Settings) -> str:
    if settings.broker.host:
        return f"The broker listens over TCP at {settings.broker.host}, so every program needs them."
    return "The broker listens at Unix sockets, which need none; [broker] host in conf/tfmodel.toml makes it use TCP."


def _settings() -> Settings:
    try:
        return load(os.environ)
    except SettingsError as error:
        raise CommandError(str(error)) from error
