"""What does a refresh token give to two who hold it? Replays, and races."""
