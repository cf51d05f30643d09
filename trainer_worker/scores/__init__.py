"""Pure computations on predictions and features, for all trainTypes."""
