"""Portfolios, from dropping a file to browsing its scores; memory does not grow with the number of rows."""
