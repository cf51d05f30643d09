"""/openapi.json and /docs as a browser gets them: compressed, kept until they change, and with nothing beside them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from protocol.errors import REFUSAL_CODES
from tests.security.raw_http import ask
from tests.socket.programs import Programs
from web.documents.static_files import STATIC, StaticFiles

PAGES = ("/docs", "/docs/errors")
STATIC_FILES = ("page/main.js", "page/words/en.json", "vendor/swagger-ui/swagger-ui.css")
FILES = ("/openapi.json", *PAGES, *(f"/{StaticFiles().address}/{name}" for name in STATIC_FILES))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with Programs(tmp_path_factory.mktemp("documents")) as running:
        created = running.run("server.py", "token", "create", "website")
        assert created.returncode == 0, created.stderr
        yield running.ports["WEB_PORT"]


def get(port: int, path: str, **headers: str) -> httpx.Response:
    sent = {"Accept-Encoding": "identity", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=sent)


def test_the_document_is_valid_as_it_is_sent(port: int) -> None:
    answer = get(port, "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    OpenAPIV31SpecValidator(answer.json()).validate()


@pytest.mark.parametrize("path", FILES)
def test_files_need_no_token_and_let_no_other_origin_in(port: int, path: str) -> None:
    answer = get(port, path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_sent_compressed_and_only_once(port: int, path: str) -> None:
    plain = get(port, path)
    packed = ask(port, f"GET {path} HTTP/1.1", "Accept-Encoding: br, gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    assert gzip.decompress(packed.body) == plain.content
    assert plain.headers["ETag"] == f'"{hashlib.sha256(plain.content).hexdigest()}"'
    assert packed.headers["etag"] != plain.headers["ETag"]
    for tag, coding in ((plain.headers["ETag"], "identity"), (packed.headers["etag"], "gzip")):
        again = get(port, path, If_None_Match=tag, Accept_Encoding=coding)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag


@pytest.mark.parametrize(
    "path",
    ["../../app.py", "..%2f..%2fapp.py", "%2e%2e/%2e%2e/app.py", "vendor/swagger-ui/LICENSE", "page.css%00", "."],
)
def test_no_other_file_can_be_had(port: int, path: str) -> None:
    answer = ask(port, f"GET /static/0/{path} HTTP/1.1")
    assert (answer.status, answer.code) == (404, "unknown_path")


def test_the_table_names_files_of_the_static_folder_only() -> None:
    assert all((STATIC / name).resolve().is_relative_to(STATIC) for name in StaticFiles().names())


def test_the_page_of_errors_has_a_section_where_refusals_point_to(port: int) -> None:
    refused = get(port, "/nothing").json()
    path, _, code = refused["docs"].partition("#")
    page = get(port, path).text
    assert f'id="{code}"' in page
    assert all(f'id="{each}"' in page for each in REFUSAL_CODES)
