"""Settings: every key with its default in tfmodel.toml, read and checked by settings.py."""
