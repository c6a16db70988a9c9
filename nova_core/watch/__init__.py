"""The interface of all faces to a run: what they show, and what they may ask of it."""
