"""Task-specific vision models and the pictures they are given: preprocessing, architectures, checkpoints, training."""
