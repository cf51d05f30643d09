"""The OpenAPI document, made from the table of routes. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from protocol.errors import REFUSAL_CODES
from protocol.version import VERSION
from web.answers.refusal import JSON_TYPE, PROBLEM_TYPE
from web.api.examples import EXAMPLES
from web.api.path_parameters import PATH_PARAMETERS
from web.api.problem import Problem, ProblemDetails
from web.api.tags import TAGS, tag_of
from web.documents.openapi_schemas import Schema, components, form_of, kinds_of, maps_of, reference, schema_of
from web.route import EVERYWHERE, WITH_TOKEN, WRITING, Call, Media, Route, StructType

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
EVENT_STREAM_TYPE = "text/event-stream"
#: Calls with this code make a task, and take these headers.
KEY_CODE = "key_reused"
TASK_HEADERS = {
    "Idempotency-Key": {
        "description": "For 24 hours the same key of the same user means the same task.",
        "schema": {"type": "string", "maxLength": 200},
    },
    "traceparent": {
        "description": "The caller's span after W3C Trace Context. The spans of the task become its children.",
        "schema": {"type": "string"},
    },
}

INFO = {
    "title": "TFModel",
    "version": VERSION,
    "summary": "Trains image models on folders of photos.",
    "description": (
        "Post the folder of a user's photos, follow the training, and take the model. Every answer has the header "
        "`X-Request-Id`: the one of the call, or a new one; the server's logs name it. HEAD is possible wherever GET "
        "is, and OPTIONS tells the methods of a path. [What each error code means](/docs/errors)"
    ),
    "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
}
HEADERS: Mapping[str, Schema] = {
    "X-Request-Id": {"description": "The id of this call, in every log line about it.", "schema": {"type": "string"}},
    "Location": {
        "description": "The path of the new task.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of the quota that is used up.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The size of that quota.", "schema": {"type": "string"}},
}
#: The headers of answers with these statuses, beside X-Request-Id.
HEADERS_OF = {
    202: ("Location",),
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}


def openapi_document(routes: Iterable[Route]) -> dict[str, Any]:
    """The document as JSON has it."""
    routes = list(routes)
    used = {tag_of(route.template) for route in routes}
    paths = {_path(route): _path_item(route) for route in routes}
    _add_links(paths)
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "schemas": components([*kinds_of(routes), Problem, ProblemDetails]),
            "headers": dict(HEADERS),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`python server.py token create NAME` makes a token. A server that has no tokens "
                    "takes calls without one.",
                }
            },
        },
    }


def _path(route: Route) -> str:
    return route.template.replace("...}", "}")


def _path_item(route: Route) -> Schema:
    item: Schema = {}
    if route.parameters:
        item["parameters"] = [_path_parameter(name) for name in route.parameters]
    for method, call in route.calls.items():
        operation = _operation(route, call)
        item[method.lower()] = operation
        if method == "GET":
            item["head"] = _head_of(operation)
    return item


def _path_parameter(name: str) -> Schema:
    schema = schema_of(PATH_PARAMETERS[name])
    description, examples = schema.pop("description"), schema.pop("examples")
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": examples[0],
    }


def _operation(route: Route, call: Call) -> Schema:
    needs_token = bool(getattr(route.handler, "needs_token", True))
    parameters = _query_parameters(call.query) if call.query else []
    if KEY_CODE in call.errors:
        parameters += [{"name": name, "in": "header", **header} for name, header in TASK_HEADERS.items()]
    parameters += [_needed_header(name, description) for name, description in call.headers.items()]
    operation: Schema = {
        "operationId": call.name,
        "summary": _in_plain_words(call.summary),
        "tags": [tag_of(route.template)],
        "parameters": parameters,
    }
    if call.body:
        operation["requestBody"] = _request_body(call.body, call)
    elif call.raw:
        operation["requestBody"] = {"required": True, "content": {call.raw: {}}}
    operation["responses"] = _responses(call, needs_token)
    if not needs_token:
        operation["security"] = []
    return operation


def _in_plain_words(summary: str) -> str:
    """A summary of OpenAPI is plain text, whereas README.md shows it as Markdown."""
    return re.sub(r"`([^`]*)`", "“\\1”", summary[0].upper() + summary[1:])


def _needed_header(name: str, description: str) -> Schema:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": True, "description": description, "schema": schema}


def _head_of(operation: Schema) -> Schema:
    """HEAD: the same as GET, without bodies."""
    responses = {
        status: {name: value for name, value in response.items() if name != "content"}
        for status, response in operation["responses"].items()
    }
    name = operation["operationId"]
    return {
        **operation,
        "operationId": f"{name}Headers",
        "summary": f"The headers of {name}",
        "responses": responses,
    }


def _query_parameters(query: StructType) -> list[Schema]:
    schema = components([query])[query.__name__]
    parameters = []
    for name, each in schema["properties"].items():
        parameter: Schema = {"name": name, "in": "query", "required": name in schema["required"]}
        if "description" in each:
            parameter["description"] = each.pop("description")
        if name in maps_of(schema):
            parameter |= {"style": "deepObject", "explode": True}
        elif not parameter["required"]:
            parameter["allowEmptyValue"] = True  # It means the same as leaving the field out, as in a form.
        parameters.append({**parameter, "schema": _without_null(each)})
    return parameters


def _without_null(schema: Schema) -> Schema:
    """The schema of a field of a query. A query cannot say null; it leaves the field out."""
    kept = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kept) != 1:
        return schema
    return {**{name: value for name, value in schema.items() if name not in ("anyOf", "default")}, **kept[0]}


def _request_body(body: StructType, call: Call) -> Schema:
    example = EXAMPLES.get(call.name)
    content: Schema = {JSON_TYPE: {"schema": reference(body)}}
    if example is not None:
        content[JSON_TYPE]["example"] = example
    if call.form:
        form = form_of(body)
        encoding = {name: {"style": "deepObject", "explode": True} for name in maps_of(form)}
        for media_type in FORM_TYPES:
            content[media_type] = {"schema": form, **({"encoding": encoding} if encoding else {})}
    if call.files:
        pictures = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
        content["multipart/form-data"] = {
            "schema": {"type": "object", "properties": {call.files: pictures}, "required": [call.files]}
        }
    return {"required": _has_required_fields(body), "content": content}


def _has_required_fields(body: StructType) -> bool:
    return bool(components([body])[body.__name__]["required"])


def _responses(call: Call, needs_token: bool) -> Schema:
    responses: dict[int, Schema] = {}
    for status, answer in call.answers.items():
        responses[status] = _response(status, _meaning(answer, status), _content(answer))
    if call.instead:
        content = responses[200]["content"][JSON_TYPE]
        content["schema"] = {"anyOf": [content["schema"], reference(call.instead)]}
    codes = {*EVERYWHERE, *(WITH_TOKEN if needs_token else ()), *(WRITING if call.writes else ()), *call.errors}
    for status, grouped in _by_status(codes).items():
        refused = _response(status, _codes_in_words(grouped), _problem_content(grouped))
        if status in responses:
            refused = _either(responses[status], refused)
        responses[status] = refused
    return {str(status): responses[status] for status in sorted(responses)}


def _response(status: int, description: str, content: Schema) -> Schema:
    names = ("X-Request-Id", *HEADERS_OF.get(status, ()))
    response: Schema = {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    if content:
        response["content"] = content
    return response


def _meaning(answer: StructType | Media | None, status: int) -> str:
    if isinstance(answer, Media):
        return answer.description
    text = (answer.__doc__ or "").partition("\n\n")[0] if answer is not None else ""
    return text or HTTPStatus(status).phrase


def _content(answer: StructType | Media | None) -> Schema:
    if answer is None:
        return {}
    if not isinstance(answer, Media):
        return {JSON_TYPE: {"schema": reference(answer)}}
    # OpenAPI 3.1 has no schema for the events of a stream, and none is needed for bytes.
    is_text = answer.type.startswith("text/") and answer.type != EVENT_STREAM_TYPE
    content: Schema = {answer.type: {"schema": {"type": "string"} if is_text else {}}}
    if answer.json is not None:
        content[JSON_TYPE] = {"schema": reference(answer.json)}
    return content


def _by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    grouped: defaultdict[int, list[str]] = defaultdict(list)
    for code in sorted(codes):
        grouped[REFUSAL_CODES[code]].append(code)
    return grouped


def _codes_in_words(codes: Iterable[str]) -> str:
    return ", ".join(f"[`{code}`](/docs/errors#{code})" for code in codes)


def _problem_content(codes: list[str]) -> Schema:
    narrowed = {"properties": {"code": {"enum": codes}}}
    return {
        JSON_TYPE: {"schema": {"allOf": [reference(Problem), narrowed]}},
        PROBLEM_TYPE: {"schema": {"allOf": [reference(ProblemDetails), narrowed]}},
    }


def _either(answer: Schema, refused: Schema) -> Schema:
    """One response for a status that both an answer and refusals have."""
    content = dict(refused["content"])
    for media_type, each in answer.get("content", {}).items():
        other = content.get(media_type)
        content[media_type] = {"schema": {"anyOf": [each["schema"], other["schema"]]}} if other else each
    return {**refused, "description": f"{answer['description']} Or {refused['description']}", "content": content}


def _add_links(paths: Schema) -> None:
    """Say of each answer with a Location that its taskId can be used in the calls about one task."""
    targets = [
        operation["operationId"]
        for path, item in paths.items()
        for method, operation in item.items()
        if "{taskId}" in path and method in ("get", "post", "delete")
    ]
    links = {name: {"operationId": name, "parameters": {"taskId": "$response.body#/taskId"}} for name in targets}
    for item in paths.values():
        for operation in item.values():
            accepted = operation.get("responses", {}).get("202") if isinstance(operation, dict) else None
            if accepted is not None and "Location" in accepted["headers"]:
                accepted["links"] = links
