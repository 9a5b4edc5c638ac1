"""Discovery: one run, from its configuration to its champion and the evidence for it."""
