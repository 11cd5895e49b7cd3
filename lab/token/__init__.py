"""What is in a credential, which check refuses a changed one, and what is a forged one worth?

The page `/lab/token/`. Taking apart and forging happen in the browser; only the server can say
what it checks, and it says so by running what every request runs.
"""
