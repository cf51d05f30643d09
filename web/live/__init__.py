"""Events as they happen: the log of the newest ones, who reads them, and how they reach many readers at once."""
