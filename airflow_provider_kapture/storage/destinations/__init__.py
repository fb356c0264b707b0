"""Files at a destination: spooled on local disk, then published atomically to a file system or an object store."""
