"""A trained model as files, and the proof that each of them behaves like the model."""
