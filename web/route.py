"""What the table of routes (web/routes.py) is made of: calls, media types and routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from tornado.web import RequestHandler

#: A part of a path that is the handler's argument. "{name...}" also takes slashes.
_PARAMETER = re.compile(r"\{(\w+)(\.\.\.)?\}")

StructType = type[msgspec.Struct]

#: The codes that every call can be refused with, those of calls that need a token, and those of calls that write.
EVERYWHERE = (
    *("bad_fields", "bad_request", "token_in_url", "cross_site", "foreign_host", "request_timeout", "body_too_large"),
    "internal_error",
)
WITH_TOKEN = ("unauthorized", "tokens_unreadable")
WRITING = ("read_only_token",)


class Media(msgspec.Struct, frozen=True):
    """An answer that is not JSON. type: its media type. description: what it holds.

    json: the JSON that is sent instead if the query asks for it; None if it is never sent. events: the types of the
    events of a stream.
    """

    type: str
    description: str
    json: StructType | None = None
    events: tuple[StructType, ...] = ()


class Call(msgspec.Struct, frozen=True):
    """One method of a path.

    name: the name of the call in the OpenAPI document and the clients. summary: one line for the documents.
    answers: by status, the type of the JSON, Media, or None for an answer without a body. instead: the type of the JSON
    that is sent with 200 if a field of the body asks for it. errors: the codes that this call can be refused with,
    beside those that every call can.
    query: the type of the query; None if the call takes none. any_query: whether unknown fields of the query are
    ignored, not refused.
    body: the type of the JSON body. form: whether its fields may also come as a form. files: the field of a multipart
    form that holds files and replaces the JSON body. raw: the media type of a body that is taken as it is.
    web/door/body_limits.py limits both of these. headers: the headers that the call needs, with their meaning.
    writes: whether a token that may only read is refused, because the call changes something or makes work.
    """

    name: str
    summary: str
    answers: Mapping[int, StructType | Media | None]
    query: StructType | None = None
    body: StructType | None = None
    form: bool = False
    files: str = ""
    raw: str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    errors: tuple[str, ...] = ()
    instead: StructType | None = None
    any_query: bool = False
    writes: bool = False


class Route(msgspec.Struct, frozen=True):
    """A path, the handler of its calls, and one call for each method. HEAD comes with GET, and OPTIONS with every path.

    template: the path; a name in braces stands for one part of it.
    """

    template: str
    handler: type[RequestHandler]
    get: Call | None = None
    post: Call | None = None
    delete: Call | None = None

    @property
    def calls(self) -> dict[str, Call]:
        """The calls by method."""
        by_method = {"GET": self.get, "POST": self.post, "DELETE": self.delete}
        return {method: call for method, call in by_method.items() if call is not None}

    @property
    def pattern(self) -> str:
        """The regular expression of the path, for Tornado."""
        return _PARAMETER.sub(lambda found: "(.+)" if found[2] else "([^/]+)", self.template)

    @property
    def parameters(self) -> list[str]:
        """The names in braces, in order."""
        return [name for name, _ in _PARAMETER.findall(self.template)]
