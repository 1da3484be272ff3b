"""The worker: fetches, builds and runs untrusted submissions, and reports to the ledger."""
