"""The worker: an agent that never stalls, and its trainer process that trains task after task."""
