"""One HTTP exchange with the Pull Order API: requests, responses, failures. No I/O."""
