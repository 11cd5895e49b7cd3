"""How does somebody get in without a credential? Attacks on the login itself, and on its doors."""
