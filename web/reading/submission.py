"""Turn the fields of a POST into a TaskSpec, or report every problem with them at once."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from conf.machine import running_system
from conf.webhook_url import MAX_URL_CHARS
from protocol.metadata import Metadata
from protocol.options import OPTIONS_BY_TRAIN_TYPE, OptionValue, allowed_values, check_options, read_options
from protocol.project_layout import worker_folder
from protocol.task import TaskSpec
from web.api.tasks import NewTask
from web.reading.path_hints import path_hint

REQUIRED_FIELDS = ("userId", "projectId", "projectDir", "trainType")
#: The form field with the meaning of the header Idempotency-Key.
KEY_FIELD = "requestId"
MAX_KEY_LENGTH = 200
MAX_FIELD_LENGTH = 4096
#: A form has metadata in fields of these names.
METADATA_FIELD = re.compile(r"metadata\[[^\]]*\]")

#: Control characters (Unicode's class Cc), the replacement for bytes that are not UTF-8, and lone surrogates. JSON can
#: contain these ("\\ud800"), but UTF-8 cannot.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")


class FoundFolder(msgspec.Struct, frozen=True):
    """The project folder at the time of the POST. path: with links resolved."""

    path: str
    device: int = 0
    inode: int = 0


class BadField(msgspec.Struct, frozen=True):
    """A bad field. code: the code of the refusal, if all problems have the same one."""

    field: str
    error: str
    code: str = "bad_fields"


class Origin(msgspec.Struct, frozen=True):
    """What a call says about itself beside its fields: the headers Idempotency-Key and X-Request-Id, or ""."""

    request_key: str = ""
    request_id: str = ""


NOTHING_SAID = Origin()


class _Parts(msgspec.Struct):
    """The parts of a post that are read in different ways, as far as they are free of problems.

    fields: the plain texts. options: what was read of them. more: values for the fields of TaskSpec with these names.
    """

    fields: dict[str, str]
    options: dict[str, OptionValue]
    problems: list[BadField]
    more: dict[str, Any]


Submission = tuple[TaskSpec | None, list[BadField]]


def read_submission(
    fields: Mapping[str, Sequence[str]], allowed_roots: Sequence[Path], origin: Origin = NOTHING_SAID
) -> Submission:
    """Return the TaskSpec of a posted form, or None and the problems.

    fields: all values of each field, as posted. allowed_roots: the folders in which project folders may lie.
    """
    single, problems = _single_values(fields)
    options: dict[str, OptionValue] = {}
    if single.get("trainType") in OPTIONS_BY_TRAIN_TYPE:
        extra = {name: value for name, value in single.items() if name not in (*REQUIRED_FIELDS, KEY_FIELD)}
        options, option_problems = read_options(single["trainType"], extra)
        problems += [BadField(problem.field, problem.error) for problem in option_problems]
    return _make_spec(_Parts(single, options, problems, {}), allowed_roots, origin)


def posted_new_task(fields: Mapping[str, Sequence[str]], allowed_roots: Sequence[Path], origin: Origin) -> Submission:
    """The same as `read_submission` for a form that may also have `metadata[name]` and `webhook`."""
    form = dict(fields)
    metadata = {name[9:-1]: form.pop(name)[-1] for name in list(form) if METADATA_FIELD.fullmatch(name)}
    webhook = form.pop("webhook", [""])[-1]
    spec, problems = read_submission(form, allowed_roots, origin)
    try:
        more = msgspec.convert({"metadata": metadata, "webhook": webhook}, _More)
    except msgspec.ValidationError as error:
        field, kind = ("metadata", Metadata) if "metadata" in str(error) else ("webhook", WebhookUrl)
        return None, [*problems, BadField(field, f"{field} is not allowed; it takes {allowed_values(kind)}.")]
    return (replace(spec, metadata=more.metadata, webhook=more.webhook) if spec else None), problems


#: The URL of a form. Its type in JSON is that of NewTask.
WebhookUrl = Annotated[str, Meta(max_length=MAX_URL_CHARS)]


class _More(msgspec.Struct):
    metadata: Metadata
    webhook: WebhookUrl


def read_new_task(new: NewTask, allowed_roots: Sequence[Path], origin: Origin, retry_of: str = "") -> Submission:
    """Return the TaskSpec of a new task, or None and the problems. Its metadata has been checked already."""
    given = {
        "userId": new.user_id,
        "projectId": new.project_id,
        "projectDir": new.project_dir,
        "trainType": new.train_type,
    }
    single, problems = _single_values({name: [text] for name, text in given.items()})
    options: dict[str, OptionValue] = {}
    if new.train_type in OPTIONS_BY_TRAIN_TYPE:
        options, option_problems = check_options(new.train_type, new.options)
        problems += [BadField(f"options.{problem.field}", problem.error) for problem in option_problems]
    more = {"metadata": new.metadata, "webhook": new.webhook, "retry_of": retry_of}
    return _make_spec(_Parts(single, options, problems, more), allowed_roots, origin)


def _make_spec(parts: _Parts, allowed_roots: Sequence[Path], origin: Origin) -> Submission:
    single, problems, options = parts.fields, parts.problems, parts.options
    for name in REQUIRED_FIELDS:
        if not single.get(name) and all(problem.field != name for problem in problems):
            problems.append(BadField(name, f"{name} is missing; send it as a field of the body."))
    train_type = single.get("trainType", "")
    if train_type and train_type not in OPTIONS_BY_TRAIN_TYPE:
        known = ", ".join(sorted(OPTIONS_BY_TRAIN_TYPE))
        problems.append(BadField("trainType", f"trainType={train_type[:80]!r} is not known; send one of {known}."))
    request_key, key_problem = _request_key(origin.request_key, single.get(KEY_FIELD, ""))
    problems += key_problem
    folder = FoundFolder("")
    if single.get("projectDir"):
        found = resolve_project_dir(single["projectDir"], allowed_roots)
        if isinstance(found, BadField):
            problems.append(found)
        else:
            folder = found
    if problems:
        return None, problems
    spec = TaskSpec(
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
        request_id=origin.request_id,
        **parts.more,
    )
    return spec, []


def read_folder(texts: Mapping[str, str], allowed_roots: Sequence[Path]) -> tuple[FoundFolder, list[BadField]]:
    """The folder of a call that makes no task, and every problem with its texts. texts: by field, with projectDir."""
    single, problems = _single_values({name: [text] for name, text in texts.items()})
    folder = FoundFolder("")
    if "projectDir" in single:
        found = resolve_project_dir(single["projectDir"], allowed_roots)
        if isinstance(found, BadField):
            problems.append(found)
        else:
            folder = found
    return folder, problems


def new_task_id() -> str:
    """Return 32 hexadecimal digits: the time in milliseconds and 80 random bits, as in a ULID (github.com/ulid/spec).

    Because an id begins with the time, the new entries of the journal's indexes are next to each other, and one commit
    changes few pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def resolve_project_dir(text: str, allowed_roots: Sequence[Path]) -> FoundFolder | BadField:
    """Find the project folder inside an allowed root. A relative path is tried from each root."""
    # Strings, because Path objects take too much of a POST's time (docs/choices.md, "What makes a POST cheap").
    prefixes = tuple(os.path.join(root, "") for root in allowed_roots)  # noqa: PTH118
    candidates = dict.fromkeys(os.path.join(prefix, text) for prefix in prefixes)  # noqa: PTH118
    # A root itself is not a project, not even if it lies inside another root: it holds the projects of many users.
    inside = [
        path for path in map(os.path.realpath, candidates) if path.startswith(prefixes) and f"{path}/" not in prefixes
    ]
    for path in inside:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:  # it does not exist, or its name is too long for the system
            continue
        if stat.S_ISDIR(status.st_mode):
            root = max((prefix for prefix in prefixes if path.startswith(prefix)), key=len)
            if own := worker_folder(path[len(root) :].split("/")):
                error = f"projectDir={text[:200]!r} lies in {own}/, where the worker keeps what belongs to a project"
                return BadField("projectDir", f"{error}; post the project's folder, or choose another name.")
            return FoundFolder(path, status.st_dev, status.st_ino)
    if hint := path_hint(text):
        return BadField("projectDir", f"projectDir={text[:200]!r} {hint}.")
    if not inside:
        roots = ", ".join(map(str, allowed_roots))
        return BadField(
            "projectDir",
            f"projectDir={text[:200]!r} does not lie inside an allowed folder ({roots}); "
            "move it there, or add its parent to [web] data_roots in conf/tfmodel.toml.",
            "project_dir_not_allowed",
        )
    return BadField("projectDir", f"projectDir={text[:200]!r} is not an existing folder; upload the photos first.")


def _request_key(header: str, field: str) -> tuple[str, list[BadField]]:
    if header and field and header != field:
        error = f"The header Idempotency-Key and the field {KEY_FIELD} differ; send one of them."
        return "", [BadField(KEY_FIELD, error)]
    key = header or field
    if len(key) > MAX_KEY_LENGTH:
        return "", [BadField(KEY_FIELD, f"The key has {len(key)} characters; at most {MAX_KEY_LENGTH} are allowed.")]
    if UNPRINTABLE.search(key):
        return "", [BadField(KEY_FIELD, f"The key {key[:80]!r} has control characters; send it without them.")]
    return key, []


def _single_values(fields: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[BadField]]:
    single: dict[str, str] = {}
    problems: list[BadField] = []
    for name, values in fields.items():
        if len(values) > 1:
            problems.append(BadField(name, f"{name} came {len(values)} times; send it once."))
        elif len(values[0]) > MAX_FIELD_LENGTH:
            error = f"{name} has {len(values[0])} characters; at most {MAX_FIELD_LENGTH} are allowed."
            problems.append(BadField(name, error))
        elif UNPRINTABLE.search(name + values[0]):
            error = f"{name}={values[0][:80]!r} has control characters or is not UTF-8; send plain text in UTF-8."
            problems.append(BadField(name, error))
        else:
            single[name] = values[0].strip() if name != "projectDir" else values[0]
    return single, problems
