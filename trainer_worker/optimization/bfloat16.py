"""Whether this machine computes bfloat16 itself.

bfloat16 is float32 with 8 instead of 24 significant bits: half the bytes to move, and processors with a unit for it
(AMX, AVX512-BF16) multiply it several times faster. Elsewhere TensorFlow takes it apart in software, which is slower
than float32, so it is used only where the processor says that it can.
"""

from __future__ import annotations

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})


def computes_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """cpu_info: as Linux writes it. False where there is none to read: other systems do not say."""
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not _FLAGS.isdisjoint(flags)
