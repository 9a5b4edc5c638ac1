"""numpy where it is installed: a stranger's model may hold its arrays, and draw from its streams.

A proxy that is exported as one file runs without numpy, too.
"""

from typing import Any

numpy: Any
try:
    import numpy
except ImportError:
    numpy = None
