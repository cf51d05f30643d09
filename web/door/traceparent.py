"""The header traceparent of a call (www.w3.org/TR/trace-context), which names the span that made it."""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders

HEADER = "traceparent"
#: Later versions may add fields after these four.
FIELDS = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def incoming_traceparent(headers: HTTPHeaders) -> str:
    """The caller's span in version 00. "" if the header is missing or names none, as the standard asks for."""
    given = headers.get(HEADER)
    if given is None:
        return ""
    found = FIELDS.fullmatch(given)
    if found is None:
        return ""
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return ""
    return f"00-{trace_id}-{span_id}-{flags}"
