"""A page on which a net is stepped through a name, forward and then backward, letter by letter.

Every value on it was computed by the library: the cell runs as always, and each value that one of
its lines assigns is noted down with that line. The page only draws them.
"""
