"""The pytest fixtures that give a test real servers of its own."""
