"""Writes a trained model as files, and checks that each of them behaves like the model."""
