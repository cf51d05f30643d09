"""The small text files of a project that trainers read beside its pictures."""

from __future__ import annotations

#: The labels of class folders, in their order; see classification/folders.py.
LABELS_FILE = "labels_info.txt"
#: The names of the classes that masks hold; see segmentation/classes.py.
CLASSES_FILE = "classes.txt"
TEXT_FILES = frozenset({LABELS_FILE, CLASSES_FILE})
#: A longer one is no list of names.
MAX_TEXT_FILE_BYTES = 64 * 1024
