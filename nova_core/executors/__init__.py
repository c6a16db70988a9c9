"""Executors run attempts: one protocol, any number of implementations."""
