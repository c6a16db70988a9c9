"""The screens of the interface, each thin: keys and refreshing; what they show is drawn by `views`."""
