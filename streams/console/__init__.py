"""The console: what duty officers see and do in a browser, in Chinese and English, from one origin only."""
