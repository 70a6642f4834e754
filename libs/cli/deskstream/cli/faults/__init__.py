"""`deskstream faults`: kills, pauses and cuts what runs under load, then counts by SQL whether the promises held."""
