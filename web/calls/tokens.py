"""`/v1/tokens`: the tokens of this server."""

from __future__ import annotations

from web.api.tokens import TokenList, TokenView
from web.json_handler import JsonHandler


class TokensHandler(JsonHandler):
    """GET lists them. Only the commands `token create` and `token revoke` change them."""

    def get(self) -> None:
        self.caller.check_sees_all("the tokens here are those of all users")
        self.send(
            TokenList(
                tuple(
                    TokenView(name=each.name, user_id=each.user, read_only=each.read_only, created_at=each.created_at)
                    for each in self.services.gate.tokens
                )
            )
        )
