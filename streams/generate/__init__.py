"""Generated feeds: realistic events of three feeds, with planted anomalies and dirt that a test can check.

Pure: randomness and places come in as arguments. It knows the warning rules as literal numbers of its own
(`anomalies`) and reads no rule file, so that a wrong rule and a wrong generator cannot agree by accident.
"""
