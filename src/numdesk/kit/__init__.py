"""Parts without domain words: the clock, the network's two edges, logging and sealing.

What may live here: code that would make sense in any server. It imports nothing of the project but
itself.
"""
