"""What refits and comparisons say beyond the verdict on one fit."""
