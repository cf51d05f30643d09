"""Limits of the checker process. A folder that needs more is not checked, and nothing else suffers."""

from __future__ import annotations

import resource

MEMORY_LIMIT_BYTES = 2 * 1024**3
PROCESSOR_LIMIT_S = 15


def limit_resources(memory_bytes: int = MEMORY_LIMIT_BYTES, processor_s: int = PROCESSOR_LIMIT_S) -> None:
    """Beyond memory_bytes this process gets a MemoryError, and after processor_s of computing SIGXCPU ends it."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # The kernel sends SIGKILL at the second number, which would say nothing about the reason.
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
