"""Early warning: rules over the frames of a feed, episodes, and the transitions they make."""
