"""One model: built, sampled, stored and evaluated."""

import os

# Read by NumPy when it is loaded. One thread per chain: BLAS threads on top only fight the chains
# for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
