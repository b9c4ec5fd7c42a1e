"""Tables that programs write into their memory at run time: names, types and places of their values."""
