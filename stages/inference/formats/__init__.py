"""Results in the formats of other tools: OpenFace, events, ELAN, Praat, BORIS, BIDS, a summary."""
