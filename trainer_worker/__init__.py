"""The worker: an agent, which never stalls, and its trainer process, which trains task after task."""
