"""A user's own files: listed, opened, hashed and decoded. Never TensorFlow."""
