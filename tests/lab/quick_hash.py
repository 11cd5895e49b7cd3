"""Argon2 as the site has it, with the least work that it may be asked for."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2(Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 64  # KiB; eight for each lane
    parallelism = 8
