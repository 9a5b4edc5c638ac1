"""Files, the machine, and signals: what the system gives and refuses."""
