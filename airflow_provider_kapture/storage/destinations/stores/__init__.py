"""Access to the objects of a destination: one module for each kind of store, all with the interface in ``store``."""
