"""`nova acp-run`: the process between Nova and an agent that speaks the Agent Client Protocol.

It starts as fast as it can, and imports only the standard library, `msgspec` and `holder.proof`. The protocol's own
library models every message with pydantic and takes half a second to import; Nova needs a few messages, as JSON.
"""
