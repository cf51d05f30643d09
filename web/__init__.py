"""The HTTP front-end. It answers GET from its task cache, and POST after the broker has written the task to disk."""
