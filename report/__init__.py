"""The leadership report: one self-contained page per published version."""
