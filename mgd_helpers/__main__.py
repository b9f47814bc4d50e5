from mgd_helpers.cli import main

main()
