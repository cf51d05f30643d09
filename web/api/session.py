"""How a page signs in: it exchanges its token for a cookie that no script can read."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class NewSession(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The token of the person who signs in."""

    token: Annotated[
        str, Meta(min_length=1, max_length=4096, description="a token of this server, as `token create` has printed it")
    ]


class SessionView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Who the caller is, as the cookie of a session or a token in the header tells."""

    needed: Annotated[bool, Meta(description="whether this server has tokens, so that other calls need one")]
    signed_in: Annotated[bool, Meta(description="whether the request came with a valid token or session")]
    token_name: Annotated[str, Meta(description="the name of the token, or empty")]
    user_id: Annotated[
        str, Meta(description="the only user whose tasks the caller may see; empty for those of all users")
    ]
    read_only: Annotated[bool, Meta(description="whether the token may only read")]
    may_write: Annotated[bool, Meta(description="whether the caller may post, cancel, stop and change things")]
    expires_at: Annotated[
        str | None, Meta(description="when the session ends, as ISO 8601 in UTC; null without a session")
    ]
