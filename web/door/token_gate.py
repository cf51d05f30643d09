"""Admit requests by their tokens. Changes of the token file take effect within a tenth of a second."""

from __future__ import annotations

import hmac
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from conf.tokens import TOKEN_PREFIX, Token, TokenError, read_tokens, token_hash
from web.answers.refusal import Refusal

log = logging.getLogger("web")


class Caller(msgspec.Struct, frozen=True, gc=False):
    """What the caller may do. user: the only user whose tasks the caller may see, or "" for all users."""

    user: str = ""
    read_only: bool = False

    def sees(self, user_id: str) -> bool:
        return not self.user or self.user == user_id


ANYBODY = Caller()
LOOK_INTERVAL_S = 0.1
#: Names under which people send a token in a URL, where it does not belong.
TOKEN_FIELDS = frozenset(("token", "access_token", "api_key", "apikey", "api_token", "authorization", "bearer"))


class TokenGate:
    def __init__(self, file: Path, needed: bool) -> None:
        """needed: whether a missing token file means that nobody is admitted, instead of everybody."""
        self._file = file
        self._needed = needed
        self._seen: tuple[int, ...] | None = ()
        self._tokens: dict[str, Token] | None = None
        self._trouble = ""
        self._look_at_s = 0.0

    def admit(self, authorization: str) -> Caller:
        """Return the caller who sends this Authorization header ("" for none). Raises Refusal if it is not admitted."""
        now_s = time.monotonic()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + LOOK_INTERVAL_S
            self._look_at_file()
        if self._trouble:
            raise Refusal(
                "tokens_unreadable",
                "This server cannot read its list of tokens, so it refuses every call; its operator finds the "
                "reason in the log.",
            )
        if self._tokens is None:
            return ANYBODY
        scheme, _, token = authorization.partition(" ")
        shown = token_hash(token.strip())
        found = self._tokens.get(shown)
        # Timing reveals nothing: the lookup depends on a hash, and compare_digest takes constant time.
        if scheme.lower() != "bearer" or found is None or not hmac.compare_digest(found.sha256, shown):
            raise Refusal(
                "unauthorized", "Send the header 'Authorization: Bearer <token>' with a token of this server."
            )
        return Caller(found.user, found.read_only)

    @property
    def needs_tokens(self) -> bool:
        """Whether callers need a token, as of the last call."""
        return self._tokens is not None

    def refuse_tokens_in_url(self, fields: Mapping[str, Sequence[bytes]]) -> None:
        """Raise Refusal if a field of a query is a token, or has a name under which tokens are sent."""
        for name, values in fields.items():
            if name.lower() in TOKEN_FIELDS or any(self._is_token(value) for value in values):
                raise Refusal(
                    "token_in_url",
                    "A token does not belong in a URL, because proxies and browsers store URLs; send it in the header "
                    "'Authorization: Bearer <token>'. If this token was real, revoke it and make a new one.",
                )

    def _is_token(self, value: bytes) -> bool:
        text = value.decode("utf-8", "replace").strip()
        return text.startswith(TOKEN_PREFIX) or (self._tokens is not None and token_hash(text) in self._tokens)

    def _look_at_file(self) -> None:
        try:
            status = os.stat(self._file)  # noqa: PTH116 - faster than Path.stat, at each request
            seen: tuple[int, ...] | None = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        except OSError:
            seen = None
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._take(read_tokens(self._file))
            self._trouble = ""
        except TokenError as error:
            self._trouble = str(error)
            log.error("action=web.tokens_unreadable reason='%s Until then every call is refused.'", error)

    def _take(self, tokens: list[Token] | None) -> None:
        if tokens is not None:
            self._needed = True
            self._tokens = {token.sha256: token for token in tokens}
            log.info("action=web.tokens_read count=%d", len(tokens))
        elif self._needed:
            # There were tokens before, so the file was probably lost by accident. That must not admit everybody.
            raise TokenError(f"The token file {self._file} is missing; make a token, or restart to go on without any.")
