"""`python -m kernelwright`."""

from kernelwright.cli.app import main

main()
