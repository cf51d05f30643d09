"""A worker on another host: a network namespace, reached by a cable that can be slow, lossy or cut."""
