"""The agent: sockets, heartbeats, timers and the trainer processes that it spawns. Never TensorFlow."""
