"""Shared by all tests: hypothesis without deadlines, because the machine may be busy."""

from hypothesis import settings

settings.register_profile("nova", deadline=None, max_examples=60)
settings.load_profile("nova")
