"""What a request says: its query, its form or JSON, and the task that it asks for."""
