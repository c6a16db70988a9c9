"""The engine: one loop that starts tasks, handles how they ended, and decides what starts next."""
