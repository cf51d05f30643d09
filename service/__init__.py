"""Starting and stopping the whole service on one machine, by way of supervisord."""
