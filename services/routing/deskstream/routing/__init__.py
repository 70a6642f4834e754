"""Who owns a conversation, and why."""
