"""What happens to each strategy when somebody attacks it? One file for each attack.

Every attack sends real requests to a running server. `attack.py` has the words (verdict, outcome,
exchange), `scene.py` what an attack is given to work with, `stage.py` where it takes place,
`held.py` which line refused it. `catalogue.py` lists the attacks, which stand in folders by what
they are about; `matrix.py` runs all of them against all strategies; `report.py` keeps what came.
"""
