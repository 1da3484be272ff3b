"""The participant's side of the site: what `rostrum submit` and `rostrum status` do over HTTP."""
