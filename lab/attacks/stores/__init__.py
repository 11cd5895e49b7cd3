"""What if the attacker reaches the store: reads Redis or the database, writes to it, stops it?"""
