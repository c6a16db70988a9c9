"""`nova status`."""


def status() -> int:
    return 0
