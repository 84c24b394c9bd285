"""What the tests of the running daemon share: namespaces, daemons, a raw BGP speaker, comparison.

Standard library only. Every test makes its own namespaces and removes them.
"""
