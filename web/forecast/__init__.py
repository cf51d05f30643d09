"""When tasks will start and end."""
