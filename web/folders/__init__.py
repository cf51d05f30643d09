"""Where project folders lie: on this machine, or in object storage. Handlers do not know which of them it is."""
