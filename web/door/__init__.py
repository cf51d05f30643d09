"""What every request passes before a handler sees it: connections, sizes, headers and tokens."""
