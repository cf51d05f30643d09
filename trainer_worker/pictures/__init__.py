"""Opens, hashes, compares and decodes a user's own files."""
