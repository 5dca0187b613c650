"""The engine: holds the lease, deals with what is due, and works on jobs until it is told to stop."""
