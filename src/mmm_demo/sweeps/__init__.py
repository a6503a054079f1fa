"""Many fits of one experiment: the search, its trials and the processes that do them."""
