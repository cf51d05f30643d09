"""The OpenAPI document is valid, complete and readable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from protocol.errors import REFUSAL_CODES
from web.api.examples import EXAMPLES
from web.api.tags import TAGS, tag_of
from web.documents.openapi import openapi_document
from web.door.listener import MAX_HEADER_BYTES
from web.route import Call
from web.routes import ROUTES

DOCUMENT: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(openapi_document(ROUTES)))
#: A percent-encoded character of four bytes, and what is left to other parts of the request line and to headers.
BYTES_OF_CHARACTER, BYTES_OF_HEADERS = 12, 8192
CALLS: dict[str, Call] = {call.name: call for route in ROUTES for call in route.calls.values()}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


OPERATIONS = {operation["operationId"]: operation for _, _, operation in operations()}


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_each_call_of_the_table_is_in_it_and_each_get_has_its_head() -> None:
    gets = {call.name for route in ROUTES for method, call in route.calls.items() if method == "GET"}
    assert OPERATIONS.keys() == CALLS.keys() | {f"{name}Headers" for name in gets}
    assert len(OPERATIONS) == len(list(operations())), "a name is used twice"


def test_names_of_components_are_plain() -> None:
    assert all(re.fullmatch("[A-Z][A-Za-z]+", name) for name in DOCUMENT["components"]["schemas"])


def test_every_code_of_a_call_is_named_under_its_status() -> None:
    for name, call in CALLS.items():
        for code in call.errors:
            response = OPERATIONS[name]["responses"][str(REFUSAL_CODES[code])]
            assert f"`{code}`" in response["description"], (name, code)


def test_every_parameter_and_every_field_of_a_body_is_explained() -> None:
    unexplained = [
        f"{operation['operationId']}: {parameter['name']}"
        for _, _, operation in operations()
        for parameter in operation["parameters"]
        if not parameter.get("description")
    ]
    schemas = DOCUMENT["components"]["schemas"]
    for call in CALLS.values():
        properties = schemas[call.body.__name__]["properties"] if call.body else {}
        unexplained += [f"{call.name}: {field}" for field, each in properties.items() if not each.get("description")]
    assert unexplained == []


def test_every_tag_is_explained() -> None:
    assert {tag_of(route.template) for route in ROUTES} <= TAGS.keys()


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.body])
def test_each_body_has_an_example_that_its_schema_allows(name: str) -> None:
    assert name in EXAMPLES, f"web/api/examples.py needs an example of {name}"
    body = OPERATIONS[name]["requestBody"]["content"]["application/json"]
    assert body["example"] == EXAMPLES[name]
    Draft202012Validator({**body["schema"], "components": DOCUMENT["components"]}).validate(body["example"])


def test_patterns_are_those_of_javascript() -> None:
    patterns = re.findall(r'"pattern":"(.*?)(?<!\\)"', msgspec.json.encode(DOCUMENT).decode())
    assert patterns
    assert not [pattern for pattern in patterns if r"\A" in pattern or r"\Z" in pattern]


def test_names_of_fields_are_written_alike() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    names = [(kind, name) for kind, schema in schemas.items() for name in schema.get("properties", {})]
    assert [each for each in names if not re.fullmatch("[a-z][A-Za-z0-9]*", each[1])] == []


def test_any_two_texts_of_a_query_fit_into_a_url() -> None:
    """A longer request line would be closed without an answer."""
    for _, path, operation in operations():
        texts = [each["schema"] for each in operation["parameters"] if each["in"] == "query"]
        longest = sorted(each.get("maxLength", 0) for each in texts if each.get("type") == "string")[-2:]
        assert BYTES_OF_CHARACTER * sum(longest) + BYTES_OF_HEADERS <= MAX_HEADER_BYTES, (path, longest)
