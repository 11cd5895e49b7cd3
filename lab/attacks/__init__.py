"""What happens to each strategy when somebody attacks it? One file for each attack.

Every attack sends real requests to a running server. `attack.py` has the words (verdict, outcome,
exchange), `scene.py` what an attack is given to work with, `matrix.py` all of them against all
strategies.
"""
