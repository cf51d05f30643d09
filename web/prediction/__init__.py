"""Predictions: a pool of runtime processes (trainer_worker/prediction) that answer for pictures."""
