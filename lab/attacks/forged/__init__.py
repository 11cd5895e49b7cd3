"""Who can make a token that the site takes for its own? Attacks on what a token says of itself."""
