"""The broker: a pure core makes the decisions, a journal stores them, and a shell owns sockets and clock."""
