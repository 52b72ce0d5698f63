"""Statistics: pure functions, frame in, frame out; they know no page and no warehouse."""
