"""The holder: a process of its own, standard library only, that runs jobs and outlives the engine."""
