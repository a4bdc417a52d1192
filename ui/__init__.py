"""The console: Streamlit pages over the client `pret`; nothing here knows the names of features."""
