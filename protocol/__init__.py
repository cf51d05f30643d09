"""The contract between the processes: messages, task model, options, errors.

Nothing in this package does I/O or reads a clock, and it imports nothing of the project.
"""
