"""`deskstream asyncapi` and `schemas`: the system's language, for those who build on it."""
