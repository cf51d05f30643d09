"""The HTTP front-end: answers GET from its task cache, and POST once the broker has the task on disk."""
