"""What did one request cost, and why was it answered so? The server says it in a header.

A request with `X-Lab-Receipt: 1` gets one back, as ASCII JSON (`receipt.made_of` says what is in
it). Nothing is estimated: SQL is counted where Django hands it to the driver, Redis commands where
redis-py writes them to its connection, checks where they run (`accounts.contract.checking`).
"""
