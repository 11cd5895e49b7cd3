"""For how long is a copied credential good? Attacks by whoever has one, and what ends it."""
