"""The agent: it owns the sockets, heartbeats and timers and spawns the trainer processes."""
