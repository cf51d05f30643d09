"""Two brokers over one database: whatever happens to them, one leads, and no task is lost or trained twice."""
