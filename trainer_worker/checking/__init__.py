"""Looks at a folder without training on it: names first, then the headers of pictures, in a process of its own."""
