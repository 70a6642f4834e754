"""Response clocks computed from events."""
