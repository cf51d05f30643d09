"""The broker's own checks of what front-ends and workers claim, before it records anything. Pure.

The types of the messages bound single fields (protocol/bounds.py). The rules here span several fields: the options must
be those of the trainType, the project folder must be inside an allowed folder, and a model must be inside the model
folder of its task. They judge a path by its text. The front-end and the worker check it on the disk.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from conf.webhook_url import why_not_allowed
from protocol import messages as m
from protocol.artifact import Artifact, UsableModel
from protocol.bounds import NO_CONTROL_CHARS
from protocol.errors import FAILURE_CODES, Failure, FailureClass
from protocol.options import OPTIONS_BY_TRAIN_TYPE, typed_options
from protocol.project_url import ProjectUrl, is_project_url
from protocol.task import TaskSpec, Trained

_no_control_chars = re.compile(NO_CONTROL_CHARS)


def why_not_taken(spec: TaskSpec, data_roots: Sequence[str], webhook_hosts: Sequence[str] = ()) -> tuple[str, str]:
    """Return the code and the error of a refusal, or two empty strings if the task may be accepted.

    data_roots: absolute folders, with links resolved, and URLs. webhook_hosts: the setting [webhooks] allowed_hosts.
    """
    if spec.train_type not in OPTIONS_BY_TRAIN_TYPE:
        known = ", ".join(sorted(OPTIONS_BY_TRAIN_TYPE))
        return "bad_fields", f"trainType={spec.train_type!r} is not known to the broker; it is one of {known}."
    texts = (spec.user_id, spec.project_id, spec.project_dir, spec.request_key, spec.traceparent)
    if not _no_control_chars.search("".join(texts)):
        return "bad_fields", "userId, projectId, projectDir, the key and the trace must not hold control characters."
    try:
        typed_options(spec.train_type, spec.options)
    except msgspec.ValidationError as error:
        return "bad_fields", f"The options are not those of trainType={spec.train_type}: {error}."
    if (spec.priority, spec.max_seconds) != (spec.options.get("priority", 0), spec.options.get("maxSeconds", 0)):
        return "bad_fields", "The task's priority and time limit are not those of its options."
    if spec.retry_of == spec.task_id:
        return "bad_fields", "A task cannot be the retry of itself."
    if spec.webhook and (why := why_not_allowed(spec.webhook, webhook_hosts)):
        return "webhook_not_allowed", why
    if not is_plain_place(spec.project_path):
        return (
            "bad_fields",
            f"The folder {spec.project_path[:200]!r} is neither an absolute path without '.' and '..' nor a plain URL.",
        )
    # A root itself is not a project, not even if it lies inside another root.
    if spec.project_path in data_roots or not any(lies_below(spec.project_path, root) for root in data_roots):
        return (
            "project_dir_not_allowed",
            f"{spec.project_path[:200]!r} does not lie inside the broker's [web] data_roots ({', '.join(data_roots)}).",
        )
    return "", ""


def is_plain_place(place: str) -> bool:
    """Whether this is a plain path, or the normal text of a URL of object storage."""
    if not is_project_url(place):
        return is_plain_path(place)
    try:
        return str(ProjectUrl.parse(place)) == place
    except ValueError:
        return False


def is_plain_path(path: str) -> bool:
    """Whether the path is absolute and normalised, and has no control characters."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and posixpath.normpath(path) == path
        and _no_control_chars.search(path) is not None
    )


def lies_below(path: str, folder: str) -> bool:
    """Whether a plain path is inside `folder`, judged by its text."""
    return path.startswith(folder.rstrip("/") + "/") and path != folder


def is_model_of(path: str, spec: TaskSpec) -> bool:
    """Whether the path is inside the model folder of this task. The project itself was checked at the submit."""
    inside = path.removeprefix(spec.project_path)
    return is_plain_path(inside) and lies_below(path, f"{spec.project_path}/models/{spec.task_id}")


def is_usable_model_of(model: UsableModel, spec: TaskSpec) -> bool:
    """Whether the interim model is inside the model folder of this task."""
    return is_model_of(model.model_path, spec) and is_artifact_of(model.artifact, spec)


def is_artifact_of(artifact: Artifact, spec: TaskSpec) -> bool:
    """Whether the file is inside the model folder of this task."""
    return is_model_of(f"{spec.project_path}/models/{spec.task_id}/{artifact.name}", spec)


def checked_result(result: m.Result, spec: TaskSpec) -> m.Result:
    """Return the result with corrected claims.

    A file outside the task's model folder turns the result into a failure. The code of a failure determines its class.
    """
    failure = result.failure
    outside = _named_outside(result.trained, spec) if result.trained is not None else None
    if outside is not None:
        error = (
            f"The worker named {outside[:200]!r} as a file of the model, "
            f"which does not lie in the task's folder models/{spec.task_id} of the project."
        )
        failure = Failure("trainer_error", FailureClass.TRAINER, error)
    elif failure is not None:
        code = failure.code if failure.code in FAILURE_CODES else "trainer_error"
        failure = replace(failure, code=code, failure_class=FAILURE_CODES[code])
    return replace(result, trained=None if failure is not None else result.trained, failure=failure)


def _named_outside(trained: Trained, spec: TaskSpec) -> str | None:
    """The first file that is not inside the task's model folder. None if all are."""
    if not is_model_of(trained.model_path, spec):
        return trained.model_path
    return next((artifact.name for artifact in trained.artifacts if not is_artifact_of(artifact, spec)), None)


def publish_key(secret: bytes, hello: m.Hello) -> str:
    """Return the key that proves which worker has published a message: at a SUB socket, messages have no sender.

    secret: random bytes that this run of the broker has chosen.
    """
    named = f"{hello.worker} {hello.start_id}".encode()
    return hmac.new(secret, named, hashlib.sha256).hexdigest()
