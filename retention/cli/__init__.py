"""The command line: parse, call one workflow, show the result. Slow imports are inside the commands that need them."""
