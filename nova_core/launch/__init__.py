"""From a task to a command line: agents, prompts, settings, and the warnings before a run."""
