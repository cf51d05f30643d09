"""From the fields of a POST to a TaskSpec, or every problem with them at once."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from conf.machine import running_system
from protocol.options import OPTIONS_BY_TRAIN_TYPE, OptionValue, read_options
from protocol.project_layout import worker_folder
from protocol.task import TaskSpec
from web.path_hints import path_hint

REQUIRED_FIELDS = ("userId", "projectId", "projectDir", "trainType")
#: The form field that does what the header Idempotency-Key does.
KEY_FIELD = "requestId"
MAX_KEY_LENGTH = 200
MAX_FIELD_LENGTH = 4096

#: Control characters (Unicode's class Cc), what bytes that are not UTF-8 have been replaced with, and halves of
#: characters, which JSON can hold ("\\ud800") and no UTF-8 can.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")


class FoundFolder(msgspec.Struct, frozen=True):
    """A project folder as it was at the POST: path with links resolved, and which folder of which device it was."""

    path: str
    device: int = 0
    inode: int = 0


class Problem(msgspec.Struct, frozen=True):
    """A bad field. code: what the call is refused with when there is nothing worse."""

    field: str
    error: str
    code: str = "bad_fields"


def read_submission(
    fields: Mapping[str, Sequence[str]], allowed_roots: Sequence[Path], request_key: str = ""
) -> tuple[TaskSpec | None, list[Problem]]:
    """fields: name to all its values, as posted; request_key: the header Idempotency-Key, "" for none.

    Returns the spec, or None and the problems.
    """
    single, problems = _single_values(fields)
    for name in REQUIRED_FIELDS:
        if not single.get(name) and all(problem.field != name for problem in problems):
            problems.append(Problem(name, f"{name} is missing; send it as a field of the body."))
    train_type = single.get("trainType", "")
    options: dict[str, OptionValue] = {}
    if train_type in OPTIONS_BY_TRAIN_TYPE:
        extra = {name: value for name, value in single.items() if name not in (*REQUIRED_FIELDS, KEY_FIELD)}
        options, option_problems = read_options(train_type, extra)
        problems += [Problem(problem.field, problem.error) for problem in option_problems]
    elif train_type:
        known = ", ".join(sorted(OPTIONS_BY_TRAIN_TYPE))
        problems.append(Problem("trainType", f"trainType={train_type[:80]!r} is not known; it is one of {known}."))
    request_key, key_problem = _request_key(request_key, single.get(KEY_FIELD, ""))
    problems += key_problem
    folder = FoundFolder("")
    if single.get("projectDir"):
        found = resolve_project_dir(single["projectDir"], allowed_roots)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            folder = found
    if problems:
        return None, problems
    return (
        TaskSpec(
            task_id=new_task_id(),
            user_id=single["userId"],
            project_id=single["projectId"],
            project_dir=single["projectDir"],
            project_path=folder.path,
            train_type=train_type,
            options=options,
            priority=cast(int, options.get("priority", 0)),
            max_seconds=cast(int, options.get("maxSeconds", 0)),
            request_key=request_key,
            seen_on=running_system(),
            seen_device=str(folder.device),
            seen_inode=str(folder.inode),
        ),
        [],
    )


def new_task_id() -> str:
    """32 hex digits: the time in milliseconds, then 80 random bits, as in a ULID (github.com/ulid/spec).

    Neighbours in time are neighbours in the journal's indexes, so that one commit changes few pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def resolve_project_dir(text: str, allowed_roots: Sequence[Path]) -> FoundFolder | Problem:
    """The folder with links resolved, when it exists inside an allowed root; relative paths start at the roots."""
    # Strings, not Path objects, which would take a tenth of the time of a POST.
    prefixes = tuple(os.path.join(root, "") for root in allowed_roots)  # noqa: PTH118
    candidates = dict.fromkeys(os.path.join(prefix, text) for prefix in prefixes)  # noqa: PTH118
    # One root may lie in another. It holds the projects of many, and so it is none itself.
    inside = [
        path for path in map(os.path.realpath, candidates) if path.startswith(prefixes) and f"{path}/" not in prefixes
    ]
    for path in inside:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:  # not there, or a name that the system calls too long
            continue
        if stat.S_ISDIR(status.st_mode):
            root = max((prefix for prefix in prefixes if path.startswith(prefix)), key=len)
            if own := worker_folder(path[len(root) :].split("/")):
                error = f"projectDir={text[:200]!r} lies in {own}/, where the worker keeps what belongs to a project"
                return Problem("projectDir", f"{error}; post the project's folder, or choose another name.")
            return FoundFolder(path, status.st_dev, status.st_ino)
    if hint := path_hint(text):
        return Problem("projectDir", f"projectDir={text[:200]!r} {hint}.")
    if not inside:
        roots = ", ".join(map(str, allowed_roots))
        return Problem(
            "projectDir",
            f"projectDir={text[:200]!r} does not lie inside an allowed folder ({roots}); "
            "move it there, or add its parent to [web] data_roots in conf/tfmodel.toml.",
            "project_dir_not_allowed",
        )
    return Problem("projectDir", f"projectDir={text[:200]!r} is not an existing folder; upload the photos first.")


def _request_key(header: str, field: str) -> tuple[str, list[Problem]]:
    if header and field and header != field:
        error = f"The header Idempotency-Key and the field {KEY_FIELD} differ; send one of them."
        return "", [Problem(KEY_FIELD, error)]
    key = header or field
    if len(key) > MAX_KEY_LENGTH:
        return "", [Problem(KEY_FIELD, f"The key has {len(key)} characters; at most {MAX_KEY_LENGTH} are taken.")]
    if UNPRINTABLE.search(key):
        return "", [Problem(KEY_FIELD, f"The key {key[:80]!r} holds control characters.")]
    return key, []


def _single_values(fields: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[Problem]]:
    single: dict[str, str] = {}
    problems: list[Problem] = []
    for name, values in fields.items():
        if len(values) > 1:
            problems.append(Problem(name, f"{name} came {len(values)} times; post it once."))
        elif len(values[0]) > MAX_FIELD_LENGTH:
            problems.append(Problem(name, f"{name} has {len(values[0])} characters; at most {MAX_FIELD_LENGTH}."))
        elif UNPRINTABLE.search(name + values[0]):
            problems.append(Problem(name, f"{name}={values[0][:80]!r} holds control characters or is not UTF-8."))
        else:
            single[name] = values[0].strip() if name != "projectDir" else values[0]
    return single, problems
