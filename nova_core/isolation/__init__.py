"""Git steps of a run: a tree for every task, its commit, merging, landing; each can be repeated after a kill."""
