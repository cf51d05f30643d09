"""Reads the weights out of a torch "legacy" pickle without torch, and without running what is in it.

The file begins with a magic number, the format version and facts about the machine. The state dict follows, whose
tensors refer to storages by persistent id. Then come the list of storage keys and the storages, each as a count and raw
little-endian numbers. A pickle can call whatever it can name, so it may only name the three things that a state dict
needs.
"""

from __future__ import annotations

import collections
import math
import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_FORMAT_VERSION = 1001

#: torch's storage classes and the little-endian dtype that each one holds.
_STORAGE_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


class TorchPickleError(ValueError):
    """The file is not a torch legacy pickle of a plain state dict; the message says what was found."""


@dataclass(frozen=True)
class _StorageType:
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    length: int


@dataclass(frozen=True)
class _TensorView:
    """A tensor whose storage has not been read yet, because the storages follow the state dict in the file."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor_view(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_rest: object
) -> _TensorView:
    """Stands in for torch._utils._rebuild_tensor_v2; offset and strides count elements, not bytes."""
    return _TensorView(storage, offset, tuple(shape), tuple(strides))


class _StateDictUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor_view
        if module == "torch" and name in _STORAGE_DTYPES:
            return _StorageType(_STORAGE_DTYPES[name])
        raise TorchPickleError(f"the file wants to load {module}.{name}; only plain tensors are read")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", _StorageType() as kind, str() as key, str(), int() as length, None):
                return _Storage(key, kind.dtype, length)
        raise TorchPickleError(f"unknown reference in the file: {str(pid)[:100]}")


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a torch legacy pickle by name, each an array of its own in C order.

    Raises TorchPickleError for any other content, such as torch's newer zip format, and OSError if it is unreadable.
    """
    with path.open("rb") as file:
        try:
            views, storages = _read_parts(file)
        except TorchPickleError as error:
            raise TorchPickleError(f"{path.name}: {error}") from None
        # A damaged pickle can raise nearly any exception; callers should need to catch only one.
        except Exception as error:
            raise TorchPickleError(f"{path.name} is not a torch legacy pickle, or is cut short: {error}") from error
    return {name: _materialise(path.name, name, view, storages) for name, view in views.items()}


def _read_parts(file: BinaryIO) -> tuple[dict[str, _TensorView], dict[str, np.ndarray]]:
    header = [_StateDictUnpickler(file).load() for _ in range(3)]
    if header[0] != _MAGIC or header[1] != _FORMAT_VERSION:
        raise TorchPickleError("not a torch legacy pickle (wrong magic number or version)")
    if not header[2].get("little_endian", False):
        raise TorchPickleError("written on a big-endian machine; only little-endian files are read")
    views = _StateDictUnpickler(file).load()
    if not isinstance(views, dict) or not all(isinstance(view, _TensorView) for view in views.values()):
        raise TorchPickleError("holds something other than a dict of tensors")
    by_key = {view.storage.key: view.storage for view in views.values()}
    keys = _StateDictUnpickler(file).load()
    storages = {key: _read_storage(file, by_key[key]) for key in keys}
    return dict(views), storages


def _read_storage(file: BinaryIO, storage: _Storage) -> np.ndarray:
    (length,) = struct.unpack("<q", file.read(8))
    if length != storage.length:
        raise TorchPickleError(f"storage {storage.key} holds {length} numbers, but {storage.length} were announced")
    raw = file.read(length * storage.dtype.itemsize)
    return np.frombuffer(raw, dtype=storage.dtype, count=length)


def _materialise(file_name: str, name: str, view: _TensorView, storages: dict[str, np.ndarray]) -> np.ndarray:
    """A copy of the view in C order; every index that it can reach is checked against its storage first."""
    storage = storages.get(view.storage.key)
    if storage is None:
        raise TorchPickleError(f"{file_name}: tensor {name} has no storage")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    negative = view.offset < 0 or min((*view.shape, *view.strides), default=0) < 0
    if negative or (math.prod(view.shape) > 0 and last >= len(storage)):
        raise TorchPickleError(f"{file_name}: tensor {name} reaches outside of its storage")
    byte_strides = tuple(stride * storage.itemsize for stride in view.strides)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, byte_strides, writeable=False).copy()
