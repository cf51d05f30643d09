"""Inject faults into the real service while it trains. `python -m tests.chaos --write` writes docs/reliability.md."""
