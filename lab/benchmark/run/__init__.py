"""How does the benchmark get its figures? It starts real servers, drives them, and counts.

`servers.py` starts them, `wrk.py` drives them, `measuring/` has one module for each question.
"""
