"""What sells without media, controls and season."""
