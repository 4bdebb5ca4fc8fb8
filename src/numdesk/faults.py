"""The base class of failures whose text an operator reads."""


class OperatorError(Exception):
    """A failure that the operator can end; its text names the fault and the remedy.

    The command line prints the text and no traceback.
    """
