"""Discovery: one run on disk, from its configuration to its champion."""
