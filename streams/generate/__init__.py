"""Generated feeds: what the `simulate` blocks of contracts say, as lines with planted anomalies and dirt.

Pure: seed, days and places come in as arguments. It reads no rule file: sizes of anomalies stand in the blocks, so
that a wrong rule and a wrong generator cannot agree by accident.
"""
