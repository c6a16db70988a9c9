"""Reading and writing files: disk operations, locks, the project folder, YAML, logs."""
