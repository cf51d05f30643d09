"""Pretrained networks, built from weights that pip has installed; nothing is fetched at run time."""
