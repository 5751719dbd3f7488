"""The webhook trigger: what came in, who sent it, and what it says."""
