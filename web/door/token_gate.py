"""Admit requests by their tokens, or by the cookies for which browsers have exchanged tokens.

Changes of the token file take effect at the next call.
"""

from __future__ import annotations

import hmac
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from tornado.httputil import HTTPHeaders

from conf.tokens import TOKEN_PREFIX, Token, TokenError, read_tokens, token_hash
from web.answers.refusal import Refusal
from web.door.session_cookie import LIFETIME_S, Session, claimed_session, cookie_value

log = logging.getLogger("web")


class Caller(msgspec.Struct, frozen=True, gc=False):
    """What the caller may do. user: the only user whose tasks the caller may see, or "" for all users.

    token_name: the token that has admitted the caller, or "" if none is needed. session_ends_at_s: when the caller's
    cookie ends, in seconds since the epoch; 0 if the caller has sent the token itself.
    """

    user: str = ""
    read_only: bool = False
    token_name: str = ""
    session_ends_at_s: int = 0

    def sees(self, user_id: str) -> bool:
        return not self.user or self.user == user_id

    def check_sees(self, user_id: str, what: str) -> None:
        """Raise Refusal if the caller may not see this user's tasks. what: such as "post a task for"."""
        if not self.sees(user_id):
            raise Refusal(
                "user_not_allowed",
                f"This token belongs to userId={self.user!r} and cannot {what} {user_id[:80]!r}; send the userId of "
                "the token, or use another token.",
            )

    def check_sees_all(self, why: str) -> None:
        """Raise Refusal if the caller may see the tasks of one user only. why: why that is not enough."""
        if self.user:
            raise Refusal(
                "user_not_allowed",
                f"This token belongs to userId={self.user!r}, and {why}; use a token for all users, such as one from "
                "'python server.py token create NAME'.",
            )


ANYBODY = Caller()
#: Names under which people send a token in a URL, where it does not belong.
TOKEN_FIELDS = frozenset(("token", "access_token", "api_key", "apikey", "api_token", "authorization", "bearer"))


class TokenGate:
    def __init__(self, file: Path, needed: bool, cookie: str, is_own: Callable[[HTTPHeaders], bool]) -> None:
        """needed: whether a missing token file means that nobody is admitted, instead of everybody.

        cookie: the name of the cookie of sessions. is_own: whether a request comes from a page of this server. Only
        such requests are admitted by their cookie, because a browser adds it whatever page has made the request.
        """
        self._file = file
        self._needed = needed
        self._cookie = cookie
        self._is_own = is_own
        self._seen: tuple[int, ...] | None = ()
        #: By their hashes; None while none is needed.
        self._tokens: dict[str, Token] | None = None
        self._by_name: dict[str, Token] = {}
        self._trouble = ""

    def admit(self, headers: HTTPHeaders) -> Caller:
        """Return the caller who sends a request with these headers. Raises Refusal if the caller is not admitted."""
        caller = self.caller_of(headers)
        if caller is None:
            raise Refusal(
                "unauthorized",
                "This call needs a token of this server; send it in the header 'Authorization: Bearer <token>', or "
                "sign in on the start page of this server.",
            )
        return caller

    def caller_of(self, headers: HTTPHeaders) -> Caller | None:
        """Like `admit`, but None for a caller who is not admitted. Raises Refusal if the tokens cannot be read."""
        self._look()
        if self._tokens is None:
            return ANYBODY
        authorization = headers.get("Authorization")
        if authorization is not None:
            scheme, _, text = authorization.partition(" ")
            token = self._token_of(text) if scheme.lower() == "bearer" else None
            return Caller(token.user, token.read_only, token.name) if token else None
        session = claimed_session(headers, self._cookie)
        if session is None or not self._is_own(headers):
            return None
        return self._caller_in(session)

    def sign_in(self, text: str) -> tuple[Caller, str]:
        """Return the caller whose token this is, and the value of the cookie for a new session.

        The cookie is "" if this server has no tokens. Raises Refusal if the text is not one of its tokens.
        """
        # Wrong tokens are neither counted nor slowed down. A token has 256 random bits, which nobody guesses, and every
        # other call tells as quickly whether a token is right.
        self._look()
        if self._tokens is None:
            return ANYBODY, ""
        token = self._token_of(text)
        if token is None:
            raise Refusal(
                "unauthorized",
                "This is not a token of this server; send the whole token, or ask the operator for one.",
            )
        ends_at_s = int(time.time()) + LIFETIME_S
        return Caller(token.user, token.read_only, token.name, ends_at_s), cookie_value(token, ends_at_s)

    def _token_of(self, text: str) -> Token | None:
        assert self._tokens is not None
        shown = token_hash(text.strip())
        found = self._tokens.get(shown)
        # Timing reveals nothing: the lookup depends on a hash, and compare_digest takes constant time.
        return found if found is not None and hmac.compare_digest(found.sha256, shown) else None

    def _caller_in(self, session: Session) -> Caller | None:
        token = self._by_name.get(session.token_name)
        if token is None or not session.is_of(token, time.time()):
            return None
        return Caller(token.user, token.read_only, token.name, session.expires_at_s)

    def _look(self) -> None:
        """Read the list of tokens if it has changed. Raises Refusal if it cannot be read now."""
        self._read_if_changed()
        if self._trouble:
            raise Refusal(
                "tokens_unreadable",
                "This server cannot read its list of tokens, so it refuses every call; its operator finds the "
                "reason in the log.",
            )

    @property
    def tokens(self) -> Sequence[Token]:
        """All tokens in the order in which they were made, as of the last call. Empty if none is needed."""
        return tuple(self._by_name.values())

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

    def _read_if_changed(self) -> None:
        try:
            status = os.stat(self._file)  # noqa: PTH116 - faster than Path.stat, at each request
            seen: tuple[int, ...] | None = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        except OSError:
            seen = None
        # What cannot be read is tried again at each call: an error may pass without a change of the file, such as that
        # too many files are open.
        if seen == self._seen and not self._trouble:
            return
        try:
            self._take(read_tokens(self._file))
        except TokenError as error:
            if str(error) != self._trouble:
                log.error("action=web.tokens_unreadable reason='%s Until then every call is refused.'", error)
            self._trouble = str(error)
        else:
            self._trouble, self._seen = "", seen

    def _take(self, tokens: list[Token] | None) -> None:
        if tokens is not None:
            self._needed = True
            self._tokens = {token.sha256: token for token in tokens}
            self._by_name = {token.name: token for token in tokens}
            log.info("action=web.tokens_read count=%d", len(tokens))
        elif self._needed:
            # There were tokens before, so the file was probably lost by accident. That must not admit everybody.
            raise TokenError(f"The token file {self._file} is missing; make a token, or restart to go on without any.")
