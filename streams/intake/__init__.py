"""How data comes in: file replay, the departments' HTTP gateway, and the ticker that moves time."""
