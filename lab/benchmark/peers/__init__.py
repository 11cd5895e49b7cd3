"""How do others keep users logged in? A second project, measured beside ours in the same server.

It runs in an environment of its own (`../requirements.txt`), and nothing of ours imports it.
"""
