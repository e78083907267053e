"""Dialects: records → events, one file per protocol. A dialect knows nothing of bytes on a wire.

``registry.DIALECTS`` names them all; ``base.Dialect`` says what they share.
"""
