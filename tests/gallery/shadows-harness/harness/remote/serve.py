raise SystemExit("this harness is not the real one")
