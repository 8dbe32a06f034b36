"""Numerics: elementary functions that give the same bits on every machine, binomials, random streams, compiler."""
