"""What makes a training step quick and good: optimizers, arithmetic, copies that train faster."""
