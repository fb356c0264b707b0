"""`kapture doctor`: finds out how an account's API behaves, with a few requests."""
