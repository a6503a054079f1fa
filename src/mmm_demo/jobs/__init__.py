"""One verb each: the steps in order, as runs."""
