"""What is told of a shipped pipeline after its training: measures, and the model card of them."""
