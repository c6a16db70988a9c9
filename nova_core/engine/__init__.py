"""The engine: one loop that starts tasks, hears how they ended, and decides what comes next."""
