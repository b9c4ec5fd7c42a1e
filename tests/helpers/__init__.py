"""What the tests share: other processes, structs, the bytes of a region, questions to the system, markers."""
