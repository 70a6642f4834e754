"""A small service of the demo's own, with a bug in its first version and without it in the second."""
