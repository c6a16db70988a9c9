"""Where attempts run: one protocol, any number of executors."""
