"""`python -m headstart` is the `headstart` command."""

from headstart.commands.app import main

main()
