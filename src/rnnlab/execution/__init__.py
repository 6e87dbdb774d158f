"""Makes the runs of an experiment: on this machine or a cluster, in any order, each once."""
