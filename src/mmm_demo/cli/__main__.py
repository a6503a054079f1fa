"""`python -m mmm_demo.cli`: what the entry points of MLproject call."""

from mmm_demo.cli.verbs import main

main()
