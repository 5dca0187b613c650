"""The door for front ends: a desk at a workspace, and what can be read and done there."""
