"""Cases: how warnings become them, their life, what officers do with them, who was told."""
