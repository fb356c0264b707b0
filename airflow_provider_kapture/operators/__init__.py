"""The operator that pulls orders to XCom or files, with its asset events, lineage and progress lines."""
