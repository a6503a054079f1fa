"""What is broken in the project and its store, and how to mend it."""
