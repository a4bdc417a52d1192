"""The script that Streamlit runs for each page of the console."""

from ui.console import run

run()
