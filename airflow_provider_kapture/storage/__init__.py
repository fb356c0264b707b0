"""Orders to files and XCom: encoders, destinations, checkpoints and the receipt."""
