"""Files in, files out: the disk seam, locks, the project folder, YAML, logs."""
