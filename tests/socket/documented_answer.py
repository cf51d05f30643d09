"""Whether an answer is one that the OpenAPI document describes."""

from __future__ import annotations

from typing import Any

import httpx
from jsonschema import Draft202012Validator

Document = dict[str, Any]


def check_documented(document: Document, operation: dict[str, Any], answer: httpx.Response) -> None:
    """Raise AssertionError unless status, media type, headers and body are as documented."""
    where = f"{answer.request.method} {answer.request.url} -> {answer.status_code} {answer.text[:500]}"
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, f"this status is not documented: {where}"
    assert answer.headers.get("X-Request-Id"), where
    content = described.get("content", {})
    if answer.request.method == "HEAD" or not content:
        assert answer.content == b"", where
        return
    media_type = answer.headers["Content-Type"]
    assert media_type in content or "*/*" in content, f"{media_type} is not documented: {where}"
    schema = content.get(media_type, {}).get("schema")
    if schema and media_type.endswith("json"):
        validator = Draft202012Validator({**schema, "components": document["components"]})
        errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(answer.json())]
        assert not errors, (errors, where)
