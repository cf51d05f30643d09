"""The optional packages that more than one machine may need: Ray, obstore and psycopg."""

from __future__ import annotations

#: The command that installs them, for errors about a missing one.
INSTALL = "pip install -r requirements-cluster.txt"
