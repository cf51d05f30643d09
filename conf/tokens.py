"""Create, read and revoke the tokens of the HTTP API. One file holds their hashes.

The file is in the state folder, and only its owner may read it (0600). It is always replaced as a whole, so a reader
never sees half of a change. A token is 256 random bits, so one SHA-256 hides it as well as a slow password hash would.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from conf.private_file import PrivateFile
from conf.settings import LOOPBACK_HOSTS, Settings, SettingsError

#: Every token begins with this, so a leaked token can be recognised.
TOKEN_PREFIX = "tfm_"
RANDOM_BYTES = 32

#: The names of the cookies with which browsers stay signed in begin with this.
SESSION_COOKIE_PREFIX = "tfmodel_"

#: Matches a token, or a long enough beginning of one.
_TOKEN_LIKE = re.compile(re.escape(TOKEN_PREFIX) + r"[A-Za-z0-9_-]{8,}")
#: Matches the cookie of a session. Its value is as good as a token.
_COOKIE_LIKE = re.compile(rf"({SESSION_COOKIE_PREFIX}[0-9]+=)[A-Za-z0-9._-]+")


class TokenError(Exception):
    """The token file cannot be used, or a command does not fit its content. The message says what to do."""


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is stored about a token.

    user: the only user whose tasks the token gives access to, or "" for all users. read_only: the token may not post,
    cancel or stop tasks.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created_at: Annotated[str, Meta(max_length=40)]
    user: Annotated[str, Meta(max_length=4096)] = ""
    read_only: bool = False


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def redact(text: str) -> str:
    """Cut everything in the text that looks like a token or a session, so that the text may be logged."""
    if TOKEN_PREFIX in text:
        text = _TOKEN_LIKE.sub(f"{TOKEN_PREFIX}…", text)
    return _COOKIE_LIKE.sub(r"\1…", text) if SESSION_COOKIE_PREFIX in text else text


def read_tokens(file: Path) -> list[Token] | None:
    """Read all tokens. Returns None if there is no file.

    Raises TokenError if the file cannot be read, is damaged, or may have been written by another user.
    """
    content = _private(file).read()
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=list[Token])
    except (ValueError, RecursionError) as error:  # A text that is not UTF-8 raises UnicodeDecodeError.
        raise _private(file).damaged(error) from error


def create_token(file: Path, name: str, user: str | None = None, read_only: bool = False) -> str:
    """Add a token and return it. It cannot be read again later. Raises TokenError if the name is taken or not allowed.

    user: the only user whose tasks the token gives access to; None for all users.
    """
    if user is not None and not user.strip():
        raise TokenError("The user of the token is empty; name one, or leave --user out for a token for all users.")
    user = (user or "").strip()
    token = TOKEN_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    try:
        # `convert` checks the bounds of the type; the constructor does not.
        new = msgspec.convert(
            {
                "name": name,
                "sha256": token_hash(token),
                "created_at": now,
                "user": user,
                "read_only": read_only,
            },
            Token,
        )
        user.encode()
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise TokenError(
            f"NAME = {name[:80]!r} with the user {user[:80]!r} is not allowed ({error}); a name has 1 to 64 letters, "
            "digits, '.', '_' or '-'."
        ) from error
    with _private(file).locked():
        tokens = read_tokens(file) or []
        if any(known.name == name for known in tokens):
            raise TokenError(f"There is a token named {name!r} already; revoke it first, or choose another name.")
        _write(file, [*tokens, new])
    return token


def revoke_token(file: Path, name: str) -> int:
    """Remove a token and return how many are left. Raises TokenError if no token has this name."""
    with _private(file).locked():
        tokens = read_tokens(file) or []
        left = [token for token in tokens if token.name != name]
        if len(left) == len(tokens):
            known = ", ".join(token.name for token in tokens) or "none"
            raise TokenError(f"There is no token named {name!r}; the names are: {known}.")
        _write(file, left)
    return len(left)


def check_may_listen(settings: Settings) -> None:
    """Raise SettingsError if other machines could call the HTTP API without a token, or the token file is unusable."""
    try:
        tokens = read_tokens(settings.token_file)
    except TokenError as error:
        raise SettingsError(str(error)) from error
    web = settings.web
    if web.host not in LOOPBACK_HOSTS and not tokens and not web.allow_anonymous:
        raise SettingsError(
            f"[web] host = {web.host!r} would serve HTTP beyond this machine without a token; make one with "
            "'python server.py token create NAME', or set [web] allow_anonymous = true if that is what you want."
        )


def _write(file: Path, tokens: list[Token]) -> None:
    _private(file).write(msgspec.json.format(msgspec.json.encode(tokens)))


def _private(file: Path) -> PrivateFile:
    return PrivateFile(file, "token file", "make new tokens with 'python server.py token create NAME'", TokenError)
