"""Settings, and what all programs need at their start: socket addresses, CURVE keys, tokens and the log format.

tfmodel.toml holds every setting with its default. settings.py reads and checks them.
"""
