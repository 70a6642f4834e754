"""All SQL of routing: the floor, the rule book, and what people look up."""
