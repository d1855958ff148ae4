"""Every door is given a fixed number of broken inputs; none may end in anything but its documented errors."""
