"""The broker: a pure core that decides, a journal that remembers, a shell that talks."""
