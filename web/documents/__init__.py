"""The documents that are made from the table of routes."""
