"""One applicant: the form, the score with its reasons, what if, and the decision to print."""
