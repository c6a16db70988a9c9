"""The holder: a separate process, standard library only, that runs jobs and outlives the engine."""
