"""`python server.py completion bash`: what a shell offers after TAB, with or without `python` before server.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conf.settings import ROOT
from tests.process.service_under_test import COMMAND_TIMEOUT_S

#: Prints the offers for each line of its input, as bash asks for them at its end: by the function of the first word.
OFFERS = r"""
source "$1"
while IFS= read -r line; do
  read -ra COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE="$line" COMP_POINT=${#line}
  [[ "$(complete -p "${COMP_WORDS[0]##*/}")" =~ -F\ ([^ ]+) ]]
  COMPREPLY=()
  "${BASH_REMATCH[1]}"
  echo "${COMPREPLY[*]}"
done
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = [sys.executable, "server.py", "completion", "bash"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=True)
    file = tmp_path_factory.mktemp("completion") / "server.bash"
    file.write_bytes(done.stdout)
    return file


def offers(script: Path, *lines: str) -> list[set[str]]:
    command = ["bash", "-c", OFFERS, "bash", str(script)]
    typed = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True)
    assert done.stderr == ""
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_bash_completes_commands_options_and_values(script: Path) -> None:
    found = offers(
        script,
        "server.py tr",
        "./server.py token re",
        "server.py tasks --sta",
        "server.py train --type cl",
        "python server.py wor",
        "python3 /opt/tfmodel/server.py tasks --state pe",
    )
    assert found == [{"train"}, {"revoke"}, {"--state"}, {"classification"}, {"workers"}, {"pending"}]


def test_other_programs_of_python_are_left_to_bash(script: Path) -> None:
    assert offers(script, "python serv", "python manage.py tr") == [set(), set()]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_too(shell: str) -> None:
    command = [sys.executable, "server.py", "completion", shell]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True)
    assert "train" in done.stdout
    assert "server.py" in done.stdout.splitlines()[-1]
