"""An object whose pickle runs code, to show that readers refuse it."""

import os


class Intruder:
    """Makes a folder when it is unpickled by a reader that runs code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
