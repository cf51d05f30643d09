"""The contract between the processes: messages, task model, options, errors.

This package does no I/O, reads no clock, and imports nothing from the rest of the project.
"""
