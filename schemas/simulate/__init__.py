"""How a feed is made up where there is no real one: the `simulate` block of its contract, read strictly.

The block promises nothing to anybody: it is no part of what `contracts check` compares.
"""
