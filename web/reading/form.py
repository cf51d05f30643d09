"""Read the fields of a POST from its body: a form, a multipart form, or a JSON object."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any, NamedTuple

from tornado.httputil import (
    HTTPFile,
    HTTPHeaders,
    HTTPInputError,
    ParseBodyConfig,
    ParseMultipartConfig,
    parse_body_arguments,
)

from web.answers.refusal import Refusal

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
JSON_TYPE = "application/json"
#: A POST with this field checks the folder and makes no task.
DRY_RUN_FIELD = "dryRun"
MAX_FORM_FIELDS = 100
MAX_PART_HEADER_BYTES = 4096

Fields = dict[str, list[str]]


def read_form(headers: HTTPHeaders, body: bytes) -> Fields:
    """Return all values of each field, as text. An empty value is "". Raises Refusal if the body is not a form."""
    given = headers.get("Content-Type", "")
    kind = media_type_of(headers)
    if kind not in (FORM_TYPE, MULTIPART_TYPE, JSON_TYPE):
        came = f"Content-Type: {given[:80]}" if given else "no Content-Type"
        raise Refusal(
            "unsupported_media_type",
            f"The call came with {came}; send the fields as {FORM_TYPE}, {MULTIPART_TYPE} or {JSON_TYPE}.",
        )
    check_coding(headers)
    if kind == FORM_TYPE:
        return _urlencoded(body)
    return _multipart(given, body) if kind == MULTIPART_TYPE else _json_object(body)


def media_type_of(headers: HTTPHeaders) -> str:
    """The media type of the body, in small letters and without parameters; "" if none is named."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def check_coding(headers: HTTPHeaders) -> None:
    """Raise Refusal if the body is compressed or encoded in another way."""
    coding = headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise Refusal(
            "unsupported_media_type", f"The body came with Content-Encoding: {coding[:80]}; send it unencoded."
        )


def _urlencoded(body: bytes) -> Fields:
    try:
        return urllib.parse.parse_qs(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=MAX_FORM_FIELDS,
            errors="replace",
        )
    except ValueError as error:
        raise Refusal(
            "bad_fields", f"The form cannot be read: {error}; send at most {MAX_FORM_FIELDS} fields."
        ) from error


class SentFile(NamedTuple):
    """A file of a multipart form. name: what the sender calls it."""

    name: str
    content: bytes


def read_files(headers: HTTPHeaders, body: bytes, field: str, most: int) -> list[SentFile]:
    """Return the files of a multipart form, which may all have the same field and nothing else. Raises Refusal."""
    check_coding(headers)
    arguments, files = _parts(headers.get("Content-Type", ""), body, most)
    if field in arguments:
        raise Refusal(
            "bad_fields",
            f"{field} came as text; send it as a file, which has a file name.",
            fields={field: "It came as text."},
        )
    if others := [name for name in (*arguments, *files) if name != field]:
        raise Refusal(
            "bad_fields",
            f"The form has {', '.join(others)[:200]}; send files in the field {field} and nothing else.",
            fields={name[:80]: f"{name[:80]} is no file of the field {field}." for name in others},
        )
    return [SentFile(file.filename, file.body) for file in files.get(field, [])]


def _parts(content_type: str, body: bytes, most: int) -> tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]:
    """The texts and the files of a multipart form, by their fields."""
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    # Tornado counts what stands before the first boundary as a part.
    limits = ParseMultipartConfig(max_parts=most + 1, max_part_header_size=MAX_PART_HEADER_BYTES)
    parameters = content_type.partition(";")[2]
    try:
        parse_body_arguments(
            f"{MULTIPART_TYPE};{parameters}", body, arguments, files, config=ParseBodyConfig(multipart=limits)
        )
    except HTTPInputError as error:
        raise Refusal(
            "bad_fields",
            f"The multipart form cannot be read ({str(error)[:200]}); send at most {most} fields, in UTF-8.",
        ) from error
    return arguments, files


def _multipart(content_type: str, body: bytes) -> Fields:
    """PHP's cURL sends such a body for an array, and a browser for FormData."""
    arguments, files = _parts(content_type, body, MAX_FORM_FIELDS)
    if files:
        names = ", ".join(files)[:200]
        raise Refusal(
            "bad_fields",
            f"A file came in the field {names}; TFModel reads photos from a folder, so post the path of that folder as "
            "projectDir and send no files.",
            fields={name: f"{name} came as a file; post text." for name in files},
        )
    return {name: [value.decode("utf-8", "replace") for value in values] for name, values in arguments.items()}


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object as they were written. A name may occur twice."""


class _Number(str):
    """A JSON number as it was written. The options check which numbers they accept."""


def _json_object(body: bytes) -> Fields:
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_Pairs,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
        )
    except (ValueError, RecursionError) as error:
        came = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise Refusal("bad_fields", f"The body is not JSON in UTF-8: {came}.") from error
    if not isinstance(value, _Pairs):
        raise Refusal("bad_fields", 'The JSON is not an object; send the fields as {"userId": "…", …}.')
    if len(value) > MAX_FORM_FIELDS:
        raise Refusal("bad_fields", f"The JSON has {len(value)} fields; send at most {MAX_FORM_FIELDS}.")
    fields: Fields = {}
    problems: dict[str, str] = {}
    for name, field in value:
        text = _as_text(field)
        if text is None:
            problems[name] = f"{name[:80]} is nested; send text, a number, true, false or a list of texts."
        else:
            fields.setdefault(name, []).append(text)
    if problems:
        raise Refusal("bad_fields", " ".join(problems.values())[:2000], fields=problems)
    return fields


def _as_text(value: Any) -> str | None:
    """Return the value as a form would have it, or None if no form can. The items of a list are joined by commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list) and not isinstance(value, _Pairs) and all(type(part) is str for part in value):
        return ",".join(value)
    return None


def pop_dry_run(fields: Fields) -> bool:
    """Take the field dryRun out of the fields: whether only a check is wanted. Refusal for a value that is neither."""
    values = fields.pop(DRY_RUN_FIELD, ["0"])
    word = values[-1].strip().lower()
    if word not in ("1", "true", "0", "false", ""):
        raise Refusal(
            "bad_fields",
            f"{DRY_RUN_FIELD}={word[:80]!r} is neither 1 nor 0; send 1 to check the folder without training on it.",
            fields={DRY_RUN_FIELD: "It is 1 or 0."},
        )
    return word in ("1", "true")
