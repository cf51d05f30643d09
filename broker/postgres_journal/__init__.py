"""The journal in a database of PostgreSQL, for brokers whose machine may vanish. Needs requirements-cluster.txt."""
