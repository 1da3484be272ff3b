"""Never loads."""

import time

time.sleep(3600)
