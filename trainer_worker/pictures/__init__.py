"""Lists, opens, hashes and decodes a user's own files. Never imports TensorFlow."""
