"""What programs that make applications of Python programs have to know about this package."""
