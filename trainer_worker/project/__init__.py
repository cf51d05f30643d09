"""Everything that the worker keeps in a user's project folder: models/ and .tfmodel/.

Others can write to a project folder. Everything in these two folders is therefore opened by descriptor, one folder
after the other and never through a link (`folder.py`, and `directory.py` and `posted_folder.py` in `conf/`). What is
read back counts as input: its types and sizes are checked.
"""
