"""Stage accepted rows in the run's folder: partition by profile key, settle each partition, lay rows out in lanes.

A *partition* holds all rows of its profile keys in file order. Settling one is a function of its rows alone. A *lane* is
the rows of one phase and one set of carried columns; lanes are sent one after another in their order.
"""
