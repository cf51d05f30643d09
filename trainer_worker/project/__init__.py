"""All that the worker keeps in a user's project folder: models/ and .tfmodel/.

A project folder is a stranger's. Everything below these two is therefore opened by descriptor, step by step and never
through a link (`directory.py`, `folder.py`), and what is read back is input: typed, bounded and checked.
"""
