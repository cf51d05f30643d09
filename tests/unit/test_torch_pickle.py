"""The reader of torch's legacy pickle, on files written here byte by byte as torch writes them."""

import collections
import io
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_worker.backbones.torch_pickle import TorchPickleError, read_state_dict

MAGIC = 0x1950A86A20F9469CFC6C


def _fake_torch(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Modules with the names that a torch pickle refers to, so that pickle can write them."""
    torch, torch_utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    storage_type = type("FloatStorage", (), {"__module__": "torch"})

    def _rebuild_tensor_v2(*args: object) -> tuple[object, ...]:
        return args

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    torch.FloatStorage = storage_type  # type: ignore[attr-defined]
    torch_utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", torch_utils)
    return storage_type, _rebuild_tensor_v2


class _Pid:
    def __init__(self, pid: tuple[object, ...]) -> None:
        self.pid = pid


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> Any:
        return obj.pid if isinstance(obj, _Pid) else None


class _Tensor:
    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


def _write(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    views: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]],
    numbers: np.ndarray,
) -> None:
    """A legacy pickle whose tensors are views (offset, shape, strides) of one storage."""
    storage_type, rebuild = _fake_torch(monkeypatch)
    pid = _Pid(("storage", storage_type, "7", "cpu", len(numbers), None))
    state = collections.OrderedDict(
        (name, _Tensor(rebuild, (pid, *view, False, collections.OrderedDict()))) for name, view in views.items()
    )
    out = io.BytesIO()
    for part in (MAGIC, 1001, {"little_endian": True, "type_sizes": {}}, state, ["7"]):
        _Pickler(out, protocol=2).dump(part)
    out.write(struct.pack("<q", len(numbers)) + numbers.astype("<f4").tobytes())
    path.write_bytes(out.getvalue())


def test_offsets_and_strides_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.arange(12, dtype=np.float32)
    path = tmp_path / "weights.pth"
    views = {
        "plain": (0, (3, 4), (4, 1)),
        "transposed": (0, (4, 3), (1, 4)),
        "tail": (10, (2,), (1,)),
        "one": (5, (), ()),
    }
    _write(path, monkeypatch, views, numbers)

    tensors = read_state_dict(path)

    np.testing.assert_array_equal(tensors["plain"], numbers.reshape(3, 4))
    np.testing.assert_array_equal(tensors["transposed"], numbers.reshape(3, 4).T)
    np.testing.assert_array_equal(tensors["tail"], [10, 11])
    assert tensors["one"] == 5
    assert all(tensor.flags.c_contiguous and tensor.flags.owndata for tensor in tensors.values())


@pytest.mark.parametrize(
    "view", [(0, (13,), (1,)), (9, (2, 2), (2, 2)), (-1, (2,), (1,)), (4, (2,), (-1,)), (12, (), ())]
)
def test_a_view_outside_of_its_storage_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: tuple[int, tuple[int, ...], tuple[int, ...]]
) -> None:
    path = tmp_path / "weights.pth"
    _write(path, monkeypatch, {"bad": view}, np.zeros(12))

    with pytest.raises(TorchPickleError, match="tensor bad reaches outside"):
        read_state_dict(path)


def test_code_in_the_pickle_does_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "ran"
    payload = _Tensor(Path.touch, (marker,))
    parts: list[object] = [MAGIC, 1001, {"little_endian": True}, payload, []]
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))

    with pytest.raises(TorchPickleError, match="only plain tensors are read"):
        read_state_dict(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", pickle.dumps(1) + pickle.dumps(2) + pickle.dumps(3)])
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(TorchPickleError, match=r"weights\.pth.*not a torch legacy pickle"):
        read_state_dict(path)


def test_a_file_cut_short_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    _write(path, monkeypatch, {"plain": (0, (12,), (1,))}, np.zeros(12))
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(TorchPickleError, match="cut short"):
        read_state_dict(path)
