"""The parts of tests/model_zoo.py: what the models are trained on, how they are trained and written, and the kinds."""
