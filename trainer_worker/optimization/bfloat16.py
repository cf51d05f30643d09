"""Whether the processor of this machine computes bfloat16 in hardware.

bfloat16 is float32 with 8 instead of 24 significant bits. It takes half the memory, and processors with a unit for it
(AMX, AVX512-BF16) multiply it faster. Elsewhere TensorFlow emulates it, which is slower than float32, so it is used
only if the processor says that it has such a unit (docs/choices.md, "Networks for training only").
"""

from __future__ import annotations

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def computes_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor has a unit for bfloat16. cpu_info: Linux's file; False on systems that have none."""
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _FLAGS.isdisjoint(flags)
