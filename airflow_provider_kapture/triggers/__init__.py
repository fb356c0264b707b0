"""The triggers that wait for orders in the triggerer, with their events and the watcher's stored state."""
