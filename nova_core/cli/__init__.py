"""The `nova` command: one module per group of commands, each imported only when needed."""
