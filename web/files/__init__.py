"""The files of a task that callers get: reports, artifacts, logs and epochs."""
