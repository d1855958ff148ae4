"""What the duty service does by itself: cases made, steps of chains, what was held back, the roster's check."""
