"""`python server.py token create | list | revoke`. Each function returns the exit code of the program."""

from __future__ import annotations

import os

from conf.settings import SettingsError, load
from conf.tokens import TokenError, create_token, read_tokens, revoke_token
from service.exit_codes import ExitCode
from service.screen import TEXT_SCREEN, Screen


def create(
    name: str,
    /,
    *,
    user: str | None = None,
    read_only: bool = False,
    screen: Screen = TEXT_SCREEN,
) -> int:
    """Make a token. It is shown only once.

    Parameters
    ----------
    name
        a name for the token: 1 to 64 letters, digits, '.', '_' or '-'
    user
        the token gives access only to the tasks of this userId
    read_only
        it may read, but not post, cancel or stop tasks
    """
    try:
        file = load(os.environ).token_file
        token = create_token(file, name, user, read_only)
    except (SettingsError, TokenError) as error:
        return _failed(error, screen)
    # A script reads the token from stdout, so nothing else is printed there.
    screen.say(token)
    screen.document({"name": name, "token": token})
    screen.complain(f"It is shown only now; send it as 'Authorization: Bearer <token>'. {file} has only its hash.")
    return ExitCode.OK


def show(*, screen: Screen = TEXT_SCREEN) -> int:
    """List all tokens, without the secrets."""
    try:
        tokens = read_tokens(load(os.environ).token_file) or []
    except (SettingsError, TokenError) as error:
        return _failed(error, screen)
    if not tokens:
        screen.say("There are no tokens; make one with 'python server.py token create NAME'.")
    for token in tokens:
        screen.say(
            f"{token.name:<24} {'reads only' if token.read_only else 'reads and writes':<17} "
            f"{f'user {token.user!r}' if token.user else 'all users':<24} made {token.created_at}"
        )
    views = [
        {"name": token.name, "user": token.user, "readOnly": token.read_only, "createdAt": token.created_at}
        for token in tokens
    ]
    screen.document({"tokens": views})
    return ExitCode.OK


def revoke(name: str, /, *, screen: Screen = TEXT_SCREEN) -> int:
    """End a token at once.

    Parameters
    ----------
    name
        the name that it was made with
    """
    try:
        file = load(os.environ).token_file
        left = revoke_token(file, name)
    except (SettingsError, TokenError) as error:
        return _failed(error, screen)
    screen.say(f"The token {name} is revoked, with immediate effect.")
    if not left:
        screen.say(f"No token is left, so every call is refused. To go on without tokens, delete {file} and restart.")
    screen.document({"revoked": name, "left": left})
    return ExitCode.OK


def _failed(error: Exception, screen: Screen) -> int:
    screen.fail(str(error))
    return ExitCode.FAILED
