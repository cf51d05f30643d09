"""Publishes a trained model: exports, records, model card and app pack."""
