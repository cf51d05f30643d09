"""The two sockets to the broker, and the copy of the tasks that they keep up to date."""
