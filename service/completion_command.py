"""`python server.py completion SHELL`: the script that makes a shell complete our commands."""

from __future__ import annotations

import sys
from typing import Literal

from service.command_line import command_line

#: The library's script completes a command of this name; the lines below lend it to the ways in which we are called.
NAME = "tfmodel"
SCRIPT = "server.py"

#: `python server.py …` is completed as if `python` had not been typed. Without server.py, python completes file names.
FOR_BASH = f"""
complete -F _{NAME} {SCRIPT}
_{NAME}_by_python() {{
  [[ "${{COMP_WORDS[1]}}" == *{SCRIPT} && $COMP_CWORD -gt 1 ]] || return 0
  COMP_WORDS=("${{COMP_WORDS[@]:1}}")
  COMP_CWORD=$((COMP_CWORD - 1))
  _{NAME}
}}
complete -o bashdefault -o default -F _{NAME}_by_python python python3
"""
FOR_ZSH = f"""
compdef _{NAME} {SCRIPT}
"""
FOR_FISH = f"""
complete --command {SCRIPT} --wraps {NAME}
"""
ADDED = {"bash": FOR_BASH, "zsh": FOR_ZSH, "fish": FOR_FISH}


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the completion script for a shell.

    Run: source <(python server.py completion bash)

    Parameters
    ----------
    shell
        the shell that reads the script
    """
    sys.stdout.write(command_line().generate_completion(prog_name=NAME, shell=shell))
    sys.stdout.write(ADDED[shell])
