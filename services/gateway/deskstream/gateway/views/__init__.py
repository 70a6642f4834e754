"""The read models: how events become rows of the inbox and lines of the feed, and how those are shown."""
