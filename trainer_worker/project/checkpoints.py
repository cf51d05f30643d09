"""Checkpoints, from which the next attempt of a training continues.

    projectDir/.tfmodel/tasks/<taskId>/checkpoints/<name>.checkpoint

    8 bytes   length of the facts
    facts     JSON
    arrays    one line of JSON with types and shapes, then the values of one array after the other
    4 bytes   CRC-32 of everything before

A checkpoint is complete or absent, because it is written under a temporary name, synced and then renamed. One that
cannot be read, or is not what its reader expects, is treated as absent. Users may delete .tfmodel/ at any time.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from trainer_worker.project.folder import ProjectFolder

#: The facts of 300,000 pictures take this much.
MOST_FACTS_BYTES = 32 * 1024**2
#: More than any network that is trained here needs, together with its optimizer.
MOST_BYTES = 16 * 1024**3
_LENGTH_BYTES = 8
_CHECKSUM_BYTES = 4

Facts = TypeVar("Facts", bound=msgspec.Struct)
_Hex128 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]

log = logging.getLogger(__name__)


class RandomState(msgspec.Struct, frozen=True):
    """The state of numpy's default random generator (PCG64)."""

    state: _Hex128
    increment: _Hex128
    has_uint32: Annotated[int, Meta(ge=0, le=1)]
    uinteger: Annotated[int, Meta(ge=0, le=2**32 - 1)]

    @classmethod
    def of(cls, generator: np.random.Generator) -> RandomState:
        whole: Any = generator.bit_generator.state
        numbers = whole["state"]
        return cls(f"{numbers['state']:032x}", f"{numbers['inc']:032x}", whole["has_uint32"], whole["uinteger"])

    def restore(self, generator: np.random.Generator) -> None:
        generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": int(self.state, 16), "inc": int(self.increment, 16)},
            "has_uint32": self.has_uint32,
            "uinteger": self.uinteger,
        }


class Checkpoints:
    """The checkpoints in one folder of a project.

    If the disk is full, the training continues, but after a loss the next attempt has to repeat more work.
    """

    def __init__(self, project: ProjectFolder, *steps: str) -> None:
        """steps: the names that lead from .tfmodel to the folder."""
        self._project = project
        self._steps = steps

    def below(self, name: str) -> Checkpoints:
        """The checkpoints in a folder of that name below this one. They go when these are cleared."""
        return Checkpoints(self._project, *self._steps, name)

    def save(self, name: str, facts: msgspec.Struct, arrays: Sequence[np.ndarray]) -> None:
        """Replace the checkpoint `name`. Raises TrainingError when the whole project folder has gone."""
        encoded = msgspec.json.encode(facts)
        if len(encoded) > MOST_FACTS_BYTES:
            log.warning("action=checkpoint.too_large name=%s bytes=%d", name, len(encoded))
            return
        try:
            with self._project.kept(*self._steps, make=True) as folder:
                folder.replace(_file_name(name), _parts(encoded, arrays), synced=True)
        except OSError as error:
            self._project.refuse_if_gone()
            log.warning("action=checkpoint.not_saved name=%s reason=%r", name, str(error))

    def load(
        self, name: str, facts_type: type[Facts], like: Sequence[np.ndarray]
    ) -> tuple[Facts, list[np.ndarray]] | None:
        """The checkpoint `name`: its facts, of facts_type, and its arrays, of the types and shapes of `like`.

        None if there is no such checkpoint or if it does not fit. Nothing larger than expected is read.
        """
        try:
            with self._project.kept(*self._steps) as folder, folder.open(_file_name(name), MOST_BYTES) as file:
                loaded = _read_facts(file, facts_type), _read_arrays(file, like)
        except FileNotFoundError:
            return None
        # Text that is not JSON or not UTF-8 and numbers out of bounds raise ValueErrors.
        except (OSError, ValueError, RecursionError) as error:
            log.warning("action=checkpoint.ignored name=%s reason=%r", name, str(error)[:200])
            return None
        return loaded

    def clear(self) -> None:
        """Remove all checkpoints of the folder."""
        *steps, last = self._steps
        with contextlib.suppress(OSError), self._project.kept(*steps) as folder:
            folder.remove(last)


def _file_name(name: str) -> str:
    return f"{name}.checkpoint"


def _parts(facts: bytes, arrays: Sequence[np.ndarray]) -> Iterator[bytes]:
    """The whole file in parts, so that only one array at a time is in memory twice."""
    checksum = 0
    heads = (len(facts).to_bytes(_LENGTH_BYTES), facts, _described(arrays))
    for part in (*heads, *arrays):
        content = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        checksum = zlib.crc32(content, checksum)
        yield content
    yield checksum.to_bytes(_CHECKSUM_BYTES)


def _described(arrays: Sequence[np.ndarray]) -> bytes:
    return json.dumps([[array.dtype.name, list(array.shape)] for array in arrays]).encode() + b"\n"


def _read_facts(file: BinaryIO, facts_type: type[Facts]) -> Facts:
    length = int.from_bytes(file.read(_LENGTH_BYTES))
    if length > MOST_FACTS_BYTES:
        raise ValueError(f"the facts claim to have {length} bytes, more than {MOST_FACTS_BYTES}")
    return msgspec.json.decode(file.read(length), type=facts_type)


def _read_arrays(file: BinaryIO, like: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays, which are read only if the file has exactly the expected size."""
    described = _described(like)
    values_bytes = sum(array.nbytes for array in like)
    facts_end = file.tell()
    if os.fstat(file.fileno()).st_size != facts_end + len(described) + values_bytes + _CHECKSUM_BYTES:
        raise ValueError("the file does not have the expected size")
    if file.read(len(described)) != described:
        raise ValueError("the arrays have other types or shapes than expected")
    arrays = [np.frombuffer(file.read(array.nbytes), array.dtype).reshape(array.shape) for array in like]
    stored = int.from_bytes(file.read(_CHECKSUM_BYTES))
    file.seek(0)
    checksum = zlib.crc32(file.read(facts_end + len(described)))
    for array in arrays:
        checksum = zlib.crc32(array.tobytes(), checksum)
    if checksum != stored:
        raise ValueError("the file is damaged: its checksum does not match")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("some values are NaN or infinite")
    return arrays
