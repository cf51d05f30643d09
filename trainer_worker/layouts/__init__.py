"""Recognises how a user's folder is laid out, from names and small files."""
