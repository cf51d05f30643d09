"""The journal in an SQLite file: the default, with nothing to install or run beside it."""
