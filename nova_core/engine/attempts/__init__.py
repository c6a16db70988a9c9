"""One attempt of a task, from its start through its checks to its result."""
