"""Building tables: feeds, indicators and indices, with what each figure was made of; which days wait for it."""
