"""What Nova writes for other programs: graphs, JUnit, traces, `summary.json`."""
