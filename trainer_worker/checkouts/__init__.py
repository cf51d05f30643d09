"""Projects in object storage, as folders on the worker's disk. Trainers see only the folders."""
