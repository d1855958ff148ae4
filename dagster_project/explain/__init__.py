"""From a figure back to the messages it was made of, as values, statements and a page."""
