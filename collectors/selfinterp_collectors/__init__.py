"""Collect trials from language models; the estimation library never imports this package."""
