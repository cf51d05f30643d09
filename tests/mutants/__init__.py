"""Planted faults: one-line bugs, each of which the fast tests must catch."""
