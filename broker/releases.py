"""Which workers fit this broker, by the versions that they run. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.version import TENSORFLOW_SERIES, VERSION
from protocol.wire import VERSION as WIRE_VERSION

#: The names in a worker's `Hello.versions` that are compared with the broker's.
RELEASE, TENSORFLOW = "tfmodel", "tensorflow"


def why_other_version(version: bytes) -> str:
    """Why a worker is refused whose messages begin with this frame. version: one that wire.ANY_VERSION accepts."""
    return (
        f"This worker speaks version {version.decode()} of the protocol, and the broker {WIRE_VERSION.decode()}. "
        f"The broker runs TFModel {VERSION}; install the same release on the worker's machine."
    )


def why_unfit(versions: Mapping[str, str]) -> str:
    """Why a worker with these versions must not register; "" if it may. Versions that it does not name are not judged.

    The second number of a version must be the same. The options of a trainType, the files that a checkpoint consists
    of and the models that come out may change with it, and a task may go on elsewhere in its next attempt.
    """
    release, tensorflow = versions.get(RELEASE, ""), versions.get(TENSORFLOW, "")
    if release and series(release) != series(VERSION):
        return f"The worker runs TFModel {release}, and the broker {VERSION}; install the same release on both."
    if tensorflow and series(tensorflow) != TENSORFLOW_SERIES:
        return (
            f"The worker has TensorFlow {tensorflow}, and TFModel {VERSION} needs {TENSORFLOW_SERIES}; run "
            "'python -m pip install -r requirements.txt' on the worker's machine."
        )
    return ""


def series(version: str) -> str:
    """The first two numbers of a version, such as "2.21" of 2.21.0."""
    return ".".join(version.split(".")[:2])
