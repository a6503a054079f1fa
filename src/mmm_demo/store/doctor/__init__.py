"""What is broken in a project and its store, and how to mend it."""
