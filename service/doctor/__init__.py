"""What `python server.py doctor` looks at: one file for each part of the surroundings."""
