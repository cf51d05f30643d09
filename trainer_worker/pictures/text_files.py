"""The small text files of a project that trainers read besides its pictures."""

from __future__ import annotations

#: Labels for the class folders, in order; see classification/folders.py.
LABELS_FILE = "labels_info.txt"
#: Names of the classes in the masks; see segmentation/classes.py.
CLASSES_FILE = "classes.txt"
#: A longer file is not a list of names.
MAX_TEXT_FILE_BYTES = 64 * 1024
