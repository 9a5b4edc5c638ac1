"""The formula language: parser, expressions and their text, simplifier, candidate features."""
