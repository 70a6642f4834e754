"""Archives what arrives, removes doubles, screens, finds the thread."""
