"""`holder.killing` under the name that holders started by Nova 0.1.0 import when needed. Remove after 0.2."""

from nova_core.holder.killing import stop, strays, sweep

__all__ = ["stop", "strays", "sweep"]
