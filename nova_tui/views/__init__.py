"""Pure drawing: from the model of a run to lines of text; no widgets, no clock, no files."""
