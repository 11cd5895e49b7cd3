"""Where does a measurement or an attack take place? On a private site, which goes when it is over.

A Redis, a database, a folder and server processes of their own: nothing of the checkout's is
touched. `lab.benchmark` measures there, `lab.attacks` attacks there.
"""
