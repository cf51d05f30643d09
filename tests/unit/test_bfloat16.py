"""bfloat16 is used only where the processor says that it computes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer_worker.optimization.bfloat16 import computes_bfloat16


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse2 avx512f amx_bf16 amx_tile", True),
        ("fpu sse2 avx512f avx512_bf16", True),
        ("fpu sse2 avx512f avx512_vnni amx_int8", False),
        ("fpu not_amx_bf16_at_all", False),
        ("", False),
    ],
)
def test_the_processors_flags_decide(tmp_path: Path, flags: str, expected: bool) -> None:
    processors = [f"processor\t: {n}\nmodel name\t: amx_bf16 in a name\nflags\t\t: {flags}\n" for n in range(2)]
    (tmp_path / "cpuinfo").write_text("\n".join(processors))
    assert computes_bfloat16(tmp_path / "cpuinfo") is expected


def test_a_system_that_does_not_say_has_none(tmp_path: Path) -> None:
    assert not computes_bfloat16(tmp_path / "cpuinfo")
