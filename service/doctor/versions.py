"""The versions of Python and of the installed packages, beside those that were tested."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from conf.settings import ROOT
from service.doctor.result import Result, bad, ok, warn

REQUIREMENTS = ROOT / "requirements.txt"
OLDEST_PYTHON, FIRST_UNKNOWN_PYTHON = (3, 11), (3, 14)
INSTALL = f"Run '{sys.executable} -m pip install -r requirements.txt'."
#: Differing packages that one line names.
MOST_NAMED = 8
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)")


def look(requirements: Path = REQUIREMENTS) -> Iterator[Result]:
    yield _python(sys.version_info[:2])
    yield from _packages(requirements)


def _python(version: tuple[int, int]) -> Result:
    words = f"Python {version[0]}.{version[1]} at {sys.executable}"
    if OLDEST_PYTHON <= version < FIRST_UNKNOWN_PYTHON:
        return ok("python", words)
    return bad("python", words, "Use Python 3.11, 3.12 or 3.13.")


def _packages(requirements: Path) -> Iterator[Result]:
    pins = pins_of(requirements.read_text().splitlines())
    missing, other = [], []
    for name, wanted in pins.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
        else:
            if found != wanted:
                other.append(f"{name} {found} instead of {wanted}")
    if missing:
        yield bad("packages", f"These packages are not installed: {_listed(missing)}.", INSTALL)
    if other:
        yield warn("packages", f"These versions were not tested: {_listed(other)}.", INSTALL)
    if not missing and not other:
        yield ok("packages", f"All {len(pins)} packages have the version that {requirements.name} pins")


def pins_of(lines: Iterable[str]) -> dict[str, str]:
    """The pinned packages with their versions. Lines that pin nothing, such as a folder to install, are left out."""
    return {found["name"]: found["version"] for line in lines if (found := _PIN.match(line))}


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    return ", ".join(words[:MOST_NAMED]) + more
