"""The broker. A pure core makes the decisions, a journal stores them, and a shell owns the sockets and the clock."""
