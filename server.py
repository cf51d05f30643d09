#!/usr/bin/env python3
"""`python server.py COMMAND`: operate the service, and train models with it. `--help` lists the commands."""

from __future__ import annotations

import sys

from service.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
