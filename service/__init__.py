"""Start and stop the whole service on one machine with supervisord, back up its journal, and manage its tokens."""
