"""Reads plans."""

from nova_core.parser.cascade import Cascade, parse_cascade, parse_text

__all__ = ["Cascade", "parse_cascade", "parse_text"]
