"""The dialogue with a contact: stages, messages, replies."""
