"""The version of TFModel, and that of the TensorFlow which it needs."""

from __future__ import annotations

VERSION = "0.1.0"
#: The first two numbers of the version of TensorFlow. requirements.txt pins the rest.
TENSORFLOW_SERIES = "2.21"
