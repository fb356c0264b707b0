"""What changed in the orders of a day: read both objects, compare them by id, write the differences beside the lake."""
