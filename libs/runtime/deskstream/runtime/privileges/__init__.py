"""Who may do what at the broker and in the database: secrets, the broker's configuration, roles and their grants."""
