"""Settings, and what several programs share because none of them may import another.

tfmodel.toml holds every setting with its default, and settings.py reads and checks them. The rest is about starting
(socket addresses, CURVE keys, tokens, log format, traces) and about files that others may change (directory.py,
posted_folder.py, private_file.py, whole_file.py).
"""
