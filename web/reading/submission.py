"""Turn the fields of a POST into a TaskSpec, or report every problem with them at once. Looks at no folder."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from conf.machine import running_system
from conf.webhook_url import MAX_URL_CHARS
from protocol.metadata import Metadata
from protocol.options import OPTIONS_BY_TRAIN_TYPE, OptionValue, allowed_values, check_options, read_options
from protocol.task import TaskSpec
from web.api.tasks import NewTask
from web.folders.found_folder import BadField, FoundFolder

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


class Origin(msgspec.Struct, frozen=True):
    """What a call says about itself beside its fields: the headers Idempotency-Key and X-Request-Id, or ""."""

    request_key: str = ""
    request_id: str = ""


NOTHING_SAID = Origin()


Submission = tuple[TaskSpec | None, list[BadField]]


class Draft(msgspec.Struct):
    """What a post says, as far as it is free of problems. Its folder has not been looked for yet.

    fields: the plain texts. options: what was read of them. more: values for the fields of TaskSpec with these names.
    """

    fields: dict[str, str]
    options: dict[str, OptionValue]
    problems: list[BadField]
    more: dict[str, Any]
    origin: Origin

    @property
    def project_dir(self) -> str:
        """The text of projectDir; "" if it is missing or can't be one."""
        return self.fields.get("projectDir", "")

    def finished(self, found: FoundFolder | BadField | None) -> Submission:
        """Return the TaskSpec, or None and the problems. found: what became of project_dir; None if that is ""."""
        problems = list(self.problems)
        for name in REQUIRED_FIELDS:
            if not self.fields.get(name) and all(problem.field != name for problem in problems):
                problems.append(BadField(name, f"{name} is missing; send it as a field of the body."))
        train_type = self.fields.get("trainType", "")
        if train_type and train_type not in OPTIONS_BY_TRAIN_TYPE:
            known = ", ".join(sorted(OPTIONS_BY_TRAIN_TYPE))
            problems.append(BadField("trainType", f"trainType={train_type[:80]!r} is not known; send one of {known}."))
        request_key, key_problem = _request_key(self.origin.request_key, self.fields.get(KEY_FIELD, ""))
        problems += key_problem
        if isinstance(found, BadField):
            problems.append(found)
        if problems or not isinstance(found, FoundFolder):
            return None, problems
        return self._spec(found, request_key), []

    def _spec(self, folder: FoundFolder, request_key: str) -> TaskSpec:
        return TaskSpec(
            task_id=new_task_id(),
            user_id=self.fields["userId"],
            project_id=self.fields["projectId"],
            project_dir=folder.shown,
            project_path=folder.path,
            train_type=self.fields["trainType"],
            options=self.options,
            priority=cast(int, self.options.get("priority", 0)),
            max_seconds=cast(int, self.options.get("maxSeconds", 0)),
            request_key=request_key,
            seen_on=running_system(),
            seen_device=str(folder.device) if folder.inode else "",
            seen_inode=str(folder.inode) if folder.inode else "",
            request_id=self.origin.request_id,
            **self.more,
        )


def read_submission(fields: Mapping[str, Sequence[str]], origin: Origin = NOTHING_SAID) -> Draft:
    """Read a posted form. fields: all values of each field, as posted."""
    single, problems = single_values(fields)
    options: dict[str, OptionValue] = {}
    if single.get("trainType") in OPTIONS_BY_TRAIN_TYPE:
        extra = {name: value for name, value in single.items() if name not in (*REQUIRED_FIELDS, KEY_FIELD)}
        options, option_problems = read_options(single["trainType"], extra)
        problems += [BadField(problem.field, problem.error) for problem in option_problems]
    return Draft(single, options, problems, {}, origin)


def posted_new_task(fields: Mapping[str, Sequence[str]], origin: Origin) -> Draft:
    """The same as `read_submission` for a form that may also have `metadata[name]` and `webhook`."""
    form = dict(fields)
    metadata = {name[9:-1]: form.pop(name)[-1] for name in list(form) if METADATA_FIELD.fullmatch(name)}
    webhook = form.pop("webhook", [""])[-1]
    draft = read_submission(form, origin)
    try:
        more = msgspec.convert({"metadata": metadata, "webhook": webhook}, _More)
        draft.more = {"metadata": more.metadata, "webhook": more.webhook}
    except msgspec.ValidationError as error:
        field, kind = ("metadata", Metadata) if "metadata" in str(error) else ("webhook", WebhookUrl)
        draft.problems.append(BadField(field, f"{field} is not allowed; it takes {allowed_values(kind)}."))
    return draft


#: The URL of a form. Its type in JSON is that of NewTask.
WebhookUrl = Annotated[str, Meta(max_length=MAX_URL_CHARS)]


class _More(msgspec.Struct):
    metadata: Metadata
    webhook: WebhookUrl


def read_new_task(new: NewTask, origin: Origin, retry_of: str = "") -> Draft:
    """Read a new task. Its metadata has been checked already."""
    given = {
        "userId": new.user_id,
        "projectId": new.project_id,
        "projectDir": new.project_dir,
        "trainType": new.train_type,
    }
    single, problems = single_values({name: [text] for name, text in given.items()})
    options: dict[str, OptionValue] = {}
    if new.train_type in OPTIONS_BY_TRAIN_TYPE:
        options, option_problems = check_options(new.train_type, new.options)
        problems += [BadField(f"options.{problem.field}", problem.error) for problem in option_problems]
    more = {"metadata": new.metadata, "webhook": new.webhook, "retry_of": retry_of}
    return Draft(single, options, problems, more, origin)


def new_task_id() -> str:
    """Return 32 hexadecimal digits: the time in milliseconds and 80 random bits, as in a ULID (github.com/ulid/spec).

    Because an id begins with the time, the new entries of the journal's indexes are next to each other, and one commit
    changes few pages.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


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


def single_values(fields: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], list[BadField]]:
    """The fields that came once and are plain texts, and what is wrong with the others."""
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
