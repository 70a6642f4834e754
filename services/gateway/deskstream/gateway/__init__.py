"""HTTP API, views and the live stream."""
