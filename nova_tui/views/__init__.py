"""Pure drawing: turns the model of a run into lines of text; no widgets, no clock, no files."""
