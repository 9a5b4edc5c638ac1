"""Files, the machine and its limits, and signals."""
