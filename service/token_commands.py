"""`python server.py token create | list | revoke`. Each function returns the exit code of the program."""

from __future__ import annotations

from collections.abc import Mapping

from conf.settings import SettingsError, load
from conf.tokens import TokenError, create_token, read_tokens, revoke_token
from service.commands import complain, say


def create(environ: Mapping[str, str], name: str, user: str | None, read_only: bool) -> int:
    """Create a token and print only the token to stdout, so that a script can read it."""
    try:
        file = load(environ).token_file
        token = create_token(file, name, user, read_only)
    except (SettingsError, TokenError) as error:
        return _failed(error)
    say(token)
    complain(f"It is shown only now; send it as 'Authorization: Bearer <token>'. {file} has only its hash.")
    return 0


def show(environ: Mapping[str, str]) -> int:
    try:
        tokens = read_tokens(load(environ).token_file)
    except (SettingsError, TokenError) as error:
        return _failed(error)
    if not tokens:
        say("There are no tokens; make one with 'python server.py token create NAME'.")
    for token in tokens or []:
        say(
            f"{token.name:<24} {'reads only' if token.read_only else 'reads and writes':<17} "
            f"{f'user {token.user!r}' if token.user else 'all users':<24} made {token.created_at}"
        )
    return 0


def revoke(environ: Mapping[str, str], name: str) -> int:
    try:
        file = load(environ).token_file
        left = revoke_token(file, name)
    except (SettingsError, TokenError) as error:
        return _failed(error)
    say(f"The token {name} is revoked, with immediate effect.")
    if not left:
        say(f"No token is left, so every call is refused. To go on without tokens, delete {file} and restart.")
    return 0


def _failed(error: Exception) -> int:
    complain(str(error))
    return 1
