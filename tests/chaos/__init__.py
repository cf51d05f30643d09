"""Chaos: real processes, real small trainings, real faults; `python -m tests.chaos` writes docs/reliability.md."""
