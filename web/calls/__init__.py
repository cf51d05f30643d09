"""The handlers of the calls: one file for each noun. web/routes.py lists them."""
