"""How spend of one week works in the weeks after it."""
