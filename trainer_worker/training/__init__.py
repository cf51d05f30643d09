"""The trainer process: it loads TensorFlow once and trains task after task."""
