"""Cut the power at any moment of a recording, and look at what is left. `python -m tests.chaos.power_loss`."""
