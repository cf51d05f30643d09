"""`python -m tests.mutants`: plant each fault in a copy of the tree and see that the fast tests catch it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("tests/unit", "tests/stateful", "tests/socket")
SUITE_TIMEOUT_S = 600


def copy_tree(target: Path) -> None:
    """The files that git knows, as they are in the working tree."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def plant(fault: Fault, root: Path) -> str:
    """Change the file; returns its text before. ValueError when the fault no longer fits the code."""
    path = root / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: its place is in {fault.file} {text.count(fault.old)} times instead of once")
    path.write_text(text.replace(fault.old, fault.new))
    return text


def suite_fails(root: Path, tests: Sequence[str] = SUITES) -> str:
    """Name of the first failing test; "" when all pass."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", *tests]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SUITE_TIMEOUT_S)
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:100] if failed else f"exit code {done.returncode}"


def main() -> None:
    wanted = sys.argv[1:]
    survived = []
    with tempfile.TemporaryDirectory(prefix="tfm-mutants-") as folder:
        root = Path(folder)
        copy_tree(root)
        if not wanted and (broken := suite_fails(root)):
            sys.exit(f"The suite fails without any fault planted: {broken}")
        for fault in FAULTS:
            if wanted and not any(word in fault.name for word in wanted):
                continue
            began_s = time.monotonic()
            before = plant(fault, root)
            caught_by = suite_fails(root)
            (root / fault.file).write_text(before)
            shutil.rmtree(root / ".hypothesis", ignore_errors=True)
            verdict, took_s = "caught" if caught_by else "SURVIVED", time.monotonic() - began_s
            print(f"{verdict:9} {fault.name:48} {took_s:5.0f} s  {caught_by}", flush=True)
            if not caught_by:
                survived.append(fault.name)
    caught = len(FAULTS) - len(survived)
    print(f"{len(survived)} of {len(FAULTS)} planted faults survived." if survived else f"All {caught} were caught.")
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
