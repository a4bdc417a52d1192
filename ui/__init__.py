"""The console: Streamlit pages on top of the client `pret`. It knows no feature by name."""
