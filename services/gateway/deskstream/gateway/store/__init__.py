"""All SQL of the gateway: the inbox view and the feed."""
