"""What the table of routes is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from tornado.web import RequestHandler

#: A part of a path that is the handler's argument. "{name...}" also takes slashes.
_PARAMETER = re.compile(r"\{(\w+)(\.\.\.)?\}")

StructType = type[msgspec.Struct]

#: What every call can be refused with, and what those can that need a token.
EVERYWHERE = (
    *("bad_fields", "bad_request", "token_in_url", "cross_site", "foreign_host", "request_timeout", "body_too_large"),
    "internal_error",
)
WITH_TOKEN = ("unauthorized", "tokens_unreadable")


class Media(msgspec.Struct, frozen=True):
    """An answer that is not JSON. type: its media type. description: what it holds.

    json: the JSON that is sent instead if the query asks for it; None if it is never sent.
    """

    type: str
    description: str
    json: StructType | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One method of a path.

    name: the name of the call in the OpenAPI document and the clients. summary: one line for the documents.
    query: the type of the query; None if it has none. body: the type of the JSON body; form: whether the same fields
    may also come as a form or multipart form. files: the field of a multipart form that may hold files, instead of a
    JSON body; such a body may have [web] max_predict_body_mb. answers: by status, the type of the JSON, Media, or None
    for no body. errors: the codes that this call can be refused with, beside those that every call can. any_query:
    whether fields that the query does not have are ignored, not refused. writes: whether a token that may only read is
    refused, because the call changes something or is work for the server. instead: the type of the JSON that is sent
    with 200 if a field of the body asks for it.
    """

    name: str
    summary: str
    answers: Mapping[int, type[msgspec.Struct] | Media | None]
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    form: bool = False
    files: str = ""
    errors: tuple[str, ...] = ()
    instead: StructType | None = None
    any_query: bool = False
    writes: bool = False


class Route(msgspec.Struct, frozen=True):
    """A path, the handler of its calls, and the calls by method. HEAD comes with GET, and OPTIONS with every path.

    template: the path; a name in braces stands for one part of it.
    """

    template: str
    handler: type[RequestHandler]
    calls: Mapping[str, Call]

    @property
    def pattern(self) -> str:
        """The regular expression of the path, for Tornado."""
        return _PARAMETER.sub(lambda found: "(.+)" if found[2] else "([^/]+)", self.template)

    @property
    def parameters(self) -> list[str]:
        """The names in braces, in order."""
        return [name for name, _ in _PARAMETER.findall(self.template)]
