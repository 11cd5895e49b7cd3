"""What if the attacker reaches the store? Who reads Redis or the database, writes to it, or stops it."""
