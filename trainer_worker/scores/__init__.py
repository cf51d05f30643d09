"""How good a model is, and what would make it better: computed from predictions and features. Pure."""
