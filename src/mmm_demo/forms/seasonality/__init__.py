"""What comes back every year."""
