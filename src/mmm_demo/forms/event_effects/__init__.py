"""What holidays and other events add to sales in their weeks."""
