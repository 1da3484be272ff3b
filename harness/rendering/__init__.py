"""How reports and comparisons look: in a terminal, through a pipe, as one page of HTML."""
