"""Photos that callers send, one by one and part by part: into a new project below the first data root."""
