"""The tokens of this server, without their secrets."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class TokenView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is known of a token. Nobody can read the token itself again."""

    name: str
    user_id: Annotated[str, Meta(description="the only user whose tasks it gives access to; empty for all users")]
    read_only: Annotated[bool, Meta(description="whether it may only read")]
    created_at: Annotated[str, Meta(description="when it was made, as ISO 8601 in UTC")]


class TokenList(msgspec.Struct, frozen=True, rename="camel"):
    """The tokens of this server in the order in which they were made. None are needed while there are none."""

    tokens: tuple[TokenView, ...]
