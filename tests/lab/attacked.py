"""Which settings has the site that tests attack? Those that it comes with, and a quicker hash.

Thousands of logins are nothing to an attack but the way to it; what they are attacked by is counted
in hashes, and not in their time.
"""

from authdemo.settings import *  # noqa: F403

PASSWORD_HASHERS = ["tests.lab.quick_hash.QuickArgon2"]
