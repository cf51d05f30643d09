"""Tries a network of the operator's own: `python -m trainer_worker.backbone_check DIR`."""
