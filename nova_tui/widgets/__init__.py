"""The widgets of the interface, drawn line by line."""
