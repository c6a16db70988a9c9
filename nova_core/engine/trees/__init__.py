"""Tasks in trees of their own: made, taken, merged in order, and landed on the user's branch."""
