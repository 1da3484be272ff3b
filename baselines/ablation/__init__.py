"""`rostrum ablate`: what a persona is worth, model by model, among few and many candidates."""
