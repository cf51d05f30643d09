"""The code blocks of README.md, read as a newcomer would type them."""

from __future__ import annotations

import re
import shlex
import urllib.parse
from pathlib import Path
from typing import NamedTuple

from conf.settings import ROOT

README = ROOT / "README.md"
COMMANDS = "sh"
#: What commands print; "json" is the answer to the call above it.
OUTPUTS = ("json", "text")


class Call(NamedTuple):
    """A curl command: method, path with its query, and form fields."""

    method: str
    path: str
    fields: dict[str, str]


def code_blocks(document: Path = README) -> list[tuple[str, str]]:
    """(language, text) of each block, in order."""
    return re.findall(r"^```([a-z]*)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The words of each command, without comments; `a && b` is two."""
    lines = [
        line
        for language, text in code_blocks()
        if language == COMMANDS
        for line in text.replace("\\\n", " ").splitlines()
    ]
    return [shlex.split(part, comments=True) for line in lines for part in line.split("&&") if part.strip()]


def curl_calls() -> list[Call]:
    """Each curl command. ValueError for one with an option that is not understood here."""
    return [_read_curl(words) for words in commands() if words[0] == "curl"]


def _read_curl(words: list[str]) -> Call:
    urls, fields, method = [], {}, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-d":
            name, _, value = next(rest).partition("=")
            fields[name] = value
        elif word == "-X":
            method = next(rest)
        elif word.startswith("-"):
            raise ValueError(f"{word} of curl is not understood by the tests")
        else:
            urls.append(urllib.parse.urlsplit(word))
    (url,) = urls
    assert (url.scheme, url.netloc) == ("http", "127.0.0.1:2333"), url
    path = url.path + (f"?{url.query}" if url.query else "")
    return Call(method or ("POST" if fields else "GET"), path, fields)
