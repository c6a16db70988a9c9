"""`holder.limits` under the name that holders started by Nova 0.1.0 import when needed. Remove after 0.2."""

from nova_core.holder.limits import watch

__all__ = ["watch"]
