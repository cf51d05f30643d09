"""Flip single bits in every kind of file that is kept and trusted. `python -m tests.chaos.flipped_bits`."""
