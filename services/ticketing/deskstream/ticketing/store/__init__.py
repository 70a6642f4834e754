"""All SQL of ticketing: its three kinds of objects, what decisions look up, and what people read."""
