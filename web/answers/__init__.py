"""What callers get: tasks as they see them, refusals, and the choice between media types."""
