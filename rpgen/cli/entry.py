"""Where the process starts: before the command line is imported, and where it ends."""

import gc


def main() -> int:
    """Run the command line of `sys.argv`; returns the exit code.

    A command is over in a fraction of a second, and a third of that would go to looking for
    garbage among the modules it imports. `rpgen run`, which stays, turns the collector on.
    """
    gc.disable()
    from rpgen.cli.app import main as run_command

    code = run_command()
    gc.freeze()
    return code
